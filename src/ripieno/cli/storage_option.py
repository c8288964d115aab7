"""The options that say where a study is recorded, and what it may take."""

from typing import Annotated

import typer

__all__ = ["Artifacts", "Disk", "OrderMinutes", "Storage"]

Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The database that holds the study's record, such as "
        "postgresql://user@host/database \\[study.db in the folder].",
        show_default=False,
    ),
]

Artifacts = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A place of the study's own for states and predictions, such as "
        "s3://bucket/study \\[artifacts in the folder].",
        show_default=False,
    ),
]

Disk = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="What stored states may take at most, such as 20GB; the search pauses before that, "
        "with exit code 3 \\[no limit].",
        show_default=False,
    ),
]

OrderMinutes = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        help="End a worker that is silent for so long: it hangs. Its order is tried once more, "
        "then it fails \\[never].",
        show_default=False,
    ),
]
