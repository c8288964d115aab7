"""How the command ends when something goes wrong: a message with a fix, never a traceback."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import typer

from ripieno.errors import LedgerError, RipienoError, RipienoWarning, WorkerError

__all__ = ["BAD_INPUT", "INTERRUPTED", "said_plainly"]

BAD_INPUT = 2
INTERRUPTED = 130


@contextmanager
def said_plainly(folder: Path | None = None) -> Iterator[None]:
    """Print an error of Ripieno's own in three parts and exit 2; exit 130 after Ctrl-C.

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
        raise typer.Exit(BAD_INPUT) from None
    except KeyboardInterrupt:
        print("\nStopped. What was finished is recorded.", file=sys.stderr)  # noqa: T201
        if folder is not None:
            _say_how_to_go_on(folder)
        raise typer.Exit(INTERRUPTED) from None


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
    print(f"Go on with: ripieno resume {folder}", file=sys.stderr)  # noqa: T201 - our output
