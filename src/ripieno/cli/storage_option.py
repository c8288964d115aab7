"""The option that says where a study is recorded."""

from typing import Annotated

import typer

__all__ = ["Storage"]

Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The database that holds the study's record, such as "
        "postgresql://user@host/database; states stay in the study's folder "
        "[study.db in the folder].",
        show_default=False,
    ),
]
