"""How the command ends when something goes wrong: a message with a fix, never a traceback."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import typer

from ripieno.errors import (
    DiskLimitError,
    LedgerError,
    RipienoError,
    RipienoWarning,
    StudyError,
    WorkerError,
)

__all__ = ["BAD_INPUT", "INTERRUPTED", "PAUSED", "said_plainly"]

BAD_INPUT = 2
PAUSED = 3
INTERRUPTED = 130
_LONGEST_NAME = 200


@contextmanager
def said_plainly(folder: Path | None = None) -> Iterator[None]:
    """Print an error of Ripieno's own in three parts and exit 2.

    The exit code is 130 after Ctrl-C, and 3 where the room for a study's arrays is used up.

    Args:
        folder: The study's folder, to say how to resume an interrupted search.
    """
    try:
        with _warned_plainly():
            yield
    except RipienoError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - our output
        if folder is not None and isinstance(error, LedgerError | WorkerError):
            _say_how_to_go_on(folder)
        code = PAUSED if isinstance(error, DiskLimitError) else BAD_INPUT
        raise typer.Exit(code) from None
    except BrokenPipeError:
        raise  # nobody reads the answer: the command ends without a word
    except OSError as error:
        _say_what_the_system_said(error)
        raise typer.Exit(BAD_INPUT) from None
    except KeyboardInterrupt:
        begun = folder is None or _holds_study(folder)
        told = "What was finished is recorded." if begun else "The study had not begun."
        print(f"\nStopped. {told}", file=sys.stderr)  # noqa: T201 - our output
        if folder is not None:
            _say_how_to_go_on(folder)
        raise typer.Exit(INTERRUPTED) from None


def _say_what_the_system_said(error: OSError) -> None:
    """Say in three parts why a path that was named, or a file below it, cannot be used."""
    name = "" if error.filename is None else str(error.filename)
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    told = StudyError(
        f"the system refused: {error.strerror or error}.",
        where=shown or "a file or folder of the study",
        fix="check the paths that the command was given, their rights and the room on the disk.",
    )
    print(f"{type(error).__name__}: {told}", file=sys.stderr)  # noqa: T201 - our output


@contextmanager
def _warned_plainly() -> Iterator[None]:
    """Print a warning of Ripieno's own as a line; others as Python does."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, RipienoWarning):
                print(f"Warning: {message}", file=sys.stderr)  # noqa: T201 - our output
            else:
                usual(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


def _say_how_to_go_on(folder: Path) -> None:
    if _holds_study(folder):
        print(f"Go on with: ripieno resume {folder}", file=sys.stderr)  # noqa: T201 - our output


def _holds_study(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("study.db", "storage.json"))
