"""How the command ends when something goes wrong: a message with a fix, never a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from ripieno.errors import LedgerError, RipienoError, WorkerError

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


def _say_how_to_go_on(folder: Path) -> None:
    print(f"Go on with: ripieno resume {folder}", file=sys.stderr)  # noqa: T201 - our output
