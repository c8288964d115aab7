"""``ripieno report``: the page that explains a study."""

from pathlib import Path
from typing import Annotated

import typer

from ripieno.cli.errors import said_plainly

__all__ = ["report"]


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The study's folder.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write \\[report.html in DIR].", show_default=False),
    ] = None,
) -> None:
    """Write the report of a study: one HTML file that needs nothing else."""
    from ripieno.study import open as open_study

    with said_plainly(), open_study(folder) as study:
        typer.echo(study.report(out))
