"""``ripieno export`` and ``import``: a study as one file, and back."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ripieno.cli.errors import said_plainly
from ripieno.cli.sizes import in_words

if TYPE_CHECKING:
    from ripieno.study import Archived

__all__ = ["export", "import_"]

_AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def export(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The study's folder.", show_default=False)
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The archive, a new file.", show_default=False)
    ],
    as_json: _AS_JSON = False,
) -> None:
    """Write a study into one file: its record and every array that it needs.

    A record in a database comes along as SQLite. The data that the study was tuned on and
    your own Python files stay where they are.
    """
    from ripieno.study import export_study

    with said_plainly():
        _say(export_study(folder, file), "wrote", as_json=as_json)


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="What [bold]ripieno export[/bold] wrote.", show_default=False
        ),
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder.", show_default=False)
    ],
    as_json: _AS_JSON = False,
) -> None:
    """Bring a study back from a file, into a new folder.

    Nothing of it is run, and nothing is written elsewhere. Going on with the study runs your
    own Python files that it names, which are printed.
    """
    from ripieno.study import import_study

    with said_plainly():
        _say(import_study(file, folder), "read", as_json=as_json)


def _say(found: "Archived", verb: str, *, as_json: bool) -> None:
    from ripieno.cli.output import console

    if as_json:
        print(json.dumps(asdict(found)))  # noqa: T201 - our output
        return
    place = found.file if verb == "wrote" else found.study
    size = in_words(found.size_bytes)
    console().print(f"{verb} {place}: {found.trials} trials, {found.files} files, {size}")
    for name in found.runs:
        console().print(f"going on with it runs {name}")
