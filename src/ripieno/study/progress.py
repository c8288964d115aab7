"""Progress of a running study: a live bar on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from ripieno.loop import Progress
from ripieno.records import Objective

__all__ = ["LiveProgress", "PlainProgress", "SilentProgress", "Watcher", "make_watcher"]

_LINE_EVERY_SECONDS = 10.0
_BAR_WIDTH = 16


class Watcher(Protocol):
    """Shows how a study goes on; a context manager around the run."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was found."""

    def __call__(self, progress: Progress) -> None:
        """Show one state."""


class _Context:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to leave behind."""


class SilentProgress(_Context):
    """Shows nothing."""

    def __call__(self, progress: Progress) -> None:
        """Show nothing."""


class PlainProgress(_Context):
    """Prints a line at the first outcome, at each new best, and every ten seconds.

    Args:
        objective: Which number is shown.
        stream: Where to; standard error, so that standard output stays for results.
    """

    def __init__(self, objective: Objective, stream: TextIO) -> None:
        self._objective = objective
        self._stream = stream
        self._printed_at = 0.0
        self._best: tuple[int, int] | None = None

    def __call__(self, progress: Progress) -> None:
        """Print a line where there is something new to say."""
        now = time.monotonic()
        best = (progress.best.id, progress.best.epochs) if progress.best else None
        if best == self._best and now - self._printed_at < _LINE_EVERY_SECONDS:
            return
        self._printed_at, self._best = now, best
        print(say(progress, self._objective), file=self._stream, flush=True)


class LiveProgress:
    """A bar with the best value so far, redrawn in place on a terminal.

    Args:
        objective: Which number is shown.
        seconds: The time budget; the bar shows time where the number of orders is unknown.
    """

    def __init__(self, objective: Objective, seconds: float | None) -> None:
        self._objective = objective
        self._seconds = seconds
        self._bar = Bar(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=_BAR_WIDTH),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("searching", total=None, unit="orders", note="")

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop drawing and leave the last state on the screen."""
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Redraw."""
        if progress.planned is None and self._seconds:
            done, total, unit = int(progress.seconds), int(self._seconds), "seconds"
        else:
            done, total, unit = progress.orders, progress.planned or 0, "orders"
        taken = len(f"searching  {done}/{total} {unit} 0:00:00 ") + _BAR_WIDTH
        self._bar.update(
            self._task,
            completed=min(done, total or done),
            total=total or None,
            unit=unit,
            note=self._note(progress, room=self._bar.console.width - taken),
        )

    def _note(self, progress: Progress, room: int) -> str:
        """Return what fits beside the bar, the best value first."""
        parts = [f"{progress.trials} trials", f"{progress.epochs} epochs"]
        if progress.best is not None:
            best = f"best {self._objective.metric} {progress.best.value(self._objective):.4f}"
            whose = f"{best} (trial {progress.best.id})"
            parts = [whose if len(whose) <= room else best, *parts]
        fitting = [", ".join(parts[:count]) for count in range(len(parts), 1, -1)]
        return next((note for note in fitting if len(note) <= room), parts[0])


def say(progress: Progress, objective: Objective) -> str:
    """Return a progress as one plain line."""
    orders = f"{progress.orders}/{progress.planned}" if progress.planned else f"{progress.orders}"
    line = (
        f"{progress.seconds:7.1f} s  {orders} orders, {progress.trials} trials, "
        f"{progress.epochs} epochs"
    )
    if progress.best is None:
        return line
    value = progress.best.value(objective)
    return f"{line}, best {objective.metric} {value:.4f} (trial {progress.best.id})"


def make_watcher(objective: Objective, *, show: bool, seconds: float | None) -> Watcher:
    """Return what fits the place: live on a terminal, plain lines in a pipe, or nothing."""
    if not show:
        return SilentProgress()
    if sys.stderr.isatty():
        return LiveProgress(objective, seconds)
    return PlainProgress(objective, sys.stderr)
