"""One order, or one of its replicas, on its way through its epochs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.population.stack import Stack
from ripieno.recipes import Finished, Judging, Knobs
from ripieno.records import Metrics, Order, OutcomeStatus

__all__ = ["Row", "fall_together", "finished"]


@dataclass(slots=True, eq=False)
class Row:
    """One order, or one of its replicas, as a row of a stack.

    Args:
        order: What is carried out.
        seed: The replica's seed.
        knobs: The trial's knobs.
        metrics: One row of metrics an epoch, as they come.
        status: How the order ended; ``stopped`` while it goes on.
        error: Why it diverged.
        held: What its last epoch left, or what makes it; see :attr:`finished`.
        fold: Number of the fold that it is validated on.
        name: What a message calls the replica; empty where it is the order's only one.
        judging: What the trial's epochs count for, shared by all rows of the trial.
        unjudged: The same as it was before the first epoch.
        judged: What they counted for, and what the last one left, kept by the trial's first
            row where the trial watches its metric.
        note: Why early stopping ended the trial, where it did.
        seconds: Its share of the time that its stack has taken.
    """

    order: Order
    seed: int
    knobs: Knobs
    metrics: list[Metrics] = field(default_factory=list)
    status: OutcomeStatus = OutcomeStatus.STOPPED
    error: str | None = None
    held: Finished | Callable[[], Finished] | None = None
    fold: int = 0
    name: str = ""
    judging: Judging | None = None
    unjudged: Judging | None = None
    judged: list[Finished] = field(default_factory=list)
    note: str | None = None
    seconds: float = 0.0

    def end_early(self) -> None:
        """End the row where early stopping ends its trial."""
        self.note = None if self.judging is None else self.judging.early_end
        if self.note is not None:
            self.status = OutcomeStatus.DONE

    @property
    def finished(self) -> Finished | None:
        """What its last epoch left, made when it is asked for: of most epochs nobody asks."""
        if callable(self.held):
            self.held = self.held()
        return self.held

    @property
    def epoch(self) -> int:
        """Epochs that the trial has been trained for."""
        return self.order.start + len(self.metrics)


def fall_together(rows: Sequence[Row]) -> None:
    """Let a trial diverge with the first of its rows that does."""
    fallen: dict[int, str] = {}
    for row in rows:
        if row.error is not None:
            reason = f"{row.name}: {row.error}" if row.name else row.error
            fallen.setdefault(row.order.trial, reason)
    for row in rows:
        if row.order.trial in fallen:
            row.status, row.held = OutcomeStatus.DIVERGED, None
            row.error = fallen[row.order.trial]


def finished(
    metrics: Metrics,
    stored: Callable[[], Stack],
    *,
    number: int,
    epoch: int,
    predictions: Callable[[], NDArray[np.floating[Any]]],
) -> Finished:
    """Return what an epoch leaves of a row.

    Args:
        metrics: The epoch's.
        stored: Gives the stack after it, on the CPU.
        number: The row's place there.
        epoch: Epochs that it has been trained for.
        predictions: Gives what it says of the validation part.
    """
    return Finished(metrics, stored().extract(number, epoch=epoch), predictions())
