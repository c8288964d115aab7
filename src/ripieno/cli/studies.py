"""``ripieno ls``, ``rm`` and ``gc``: the studies that lie in folders."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ripieno.cli.errors import said_plainly
from ripieno.cli.sizes import in_words

if TYPE_CHECKING:
    from rich.table import Table

    from ripieno.study import StudyLine

__all__ = ["gc", "ls", "rm"]

_FOLDER = Annotated[
    Path, typer.Argument(metavar="DIR", help="The study's folder.", show_default=False)
]
_AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def ls(
    parent: Annotated[
        Path, typer.Argument(metavar="PARENT", help="The folder that the studies lie in.")
    ] = Path("ripieno-studies"),
    as_json: _AS_JSON = False,
) -> None:
    """List the studies in a folder: how far they are, the best value, their size."""
    from ripieno.cli.output import console, finite
    from ripieno.study import list_studies

    with said_plainly():
        lines = list_studies(parent)
        if as_json:
            print(json.dumps(finite({"studies": [asdict(line) for line in lines]})))  # noqa: T201
        elif lines:
            console().print(_table(lines))
        else:
            console().print(f"no study in {parent}")


def rm(
    folder: _FOLDER,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: _AS_JSON = False,
) -> None:
    """Remove a study: its record, also from a database, and all that it wrote.

    What else lies in the folder stays, and so does the folder then.
    """
    from ripieno.cli.output import console
    from ripieno.study import remove_study

    with said_plainly():
        if not yes:
            _ask(folder)
        left = remove_study(folder)
        if as_json:
            print(json.dumps({"removed": str(folder), "left": left}))  # noqa: T201 - our output
        else:
            rest = f"; not its own and left: {', '.join(left)}" if left else ""
            console().print(f"removed {folder}{rest}")


def gc(
    folder: _FOLDER,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")
    ] = False,
    older_minutes: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Leave younger files alone: a study that is running writes before it records.",
        ),
    ] = 60.0,
    as_json: _AS_JSON = False,
) -> None:
    """Delete stored arrays that a study does not need: what a killed process left behind."""
    from ripieno.cli.output import console
    from ripieno.study import collect_orphans

    with said_plainly():
        found = collect_orphans(folder, older_seconds=60 * older_minutes, dry_run=dry_run)
        if as_json:
            numbers = {
                "bytes": found.size_bytes,
                "kept": found.kept,
                "kept_bytes": found.kept_bytes,
            }
            names = [file.path.name for file in found.files]
            print(json.dumps({"deleted": not dry_run, "orphans": names, **numbers}))  # noqa: T201
            return
        verb = "would delete" if dry_run else "deleted"
        out = console()
        for file in found.files:
            out.print(f"{verb} {file.path.name}")
        out.print(f"{verb} {len(found.files)} files, {in_words(found.size_bytes)}; "
                  f"kept {found.kept} files, {in_words(found.kept_bytes)}")  # fmt: skip


def _ask(folder: Path) -> None:
    from ripieno.errors import StudyError

    if not sys.stdin.isatty():
        raise StudyError(
            f"nobody is here to confirm that {str(folder)!r} is removed for good.",
            where="ripieno rm",
            fix="say --yes.",
        )
    typer.confirm(f"Remove the study in {folder} for good?", abort=True)


def _table(lines: "list[StudyLine]") -> "Table":
    from rich.table import Table

    table = Table("study", "data", "trials", "epochs", "best", "hours", "size", box=None)
    for line in lines:
        size = in_words(line.size_bytes)
        if line.problem is not None:
            table.add_row(line.folder, line.problem, *[""] * 4, size)
            continue
        best = "-" if line.best is None else f"{line.metric} {line.best:.5g}"
        hours = f"{line.seconds / 3600:.2f}"
        table.add_row(line.folder, line.data or "-", str(line.trials), str(line.epochs), best,
                      hours, size)  # fmt: skip
    return table
