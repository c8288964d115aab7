"""One config that is being trained, and how far it got."""

import math
from dataclasses import dataclass
from enum import StrEnum

from ripieno.records.objective import Objective
from ripieno.records.outcome import Metrics
from ripieno.space import Config

__all__ = ["Trial", "TrialStatus"]


class TrialStatus(StrEnum):
    """Where a trial stands."""

    RUNNING = "running"
    """An order for it is out, or was when the study stopped."""
    PAUSED = "paused"
    """Its last order is done; it can go on from its stored state."""
    DIVERGED = "diverged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """One config that is being trained.

    Args:
        id: Number in the study, counted from 0 in the order of creation.
        config: What it trains.
        status: Where it stands.
        history: One row of metrics an epoch; a fork begins with its parent's rows' count,
            so ``history`` holds only the rows that this trial trained itself.
        first_epoch: Epochs that its parent had trained when it was forked; else 0.
        parent: The trial it was forked from, or None.
        seconds: Wall time spent on it so far.
        finished_at: Seconds of study time when its last outcome was recorded; NaN before.
        state: Key of its latest stored state, or None.
        predictions: Key of its latest stored validation predictions, or None.
        error: Why it diverged or failed, or None.
        notes: What the runner said of its last order, or None.
    """

    id: int
    config: Config
    status: TrialStatus
    history: tuple[Metrics, ...] = ()
    first_epoch: int = 0
    parent: int | None = None
    seconds: float = 0.0
    finished_at: float = math.nan
    state: str | None = None
    predictions: str | None = None
    error: str | None = None
    notes: str | None = None

    def __str__(self) -> str:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        how_far = f"{self.status.value} after {self.epochs} epochs"
        return f"trial {self.id}, {how_far}: {numbers or 'no metrics'}; {self.config!r}"

    @property
    def epochs(self) -> int:
        """Epochs that its present state has been trained for."""
        return self.first_epoch + len(self.history)

    @property
    def metrics(self) -> Metrics:
        """The last row of metrics; empty before the first epoch is done."""
        return self.history[-1] if self.history else {}

    def value(self, objective: Objective) -> float:
        """Return the objective's value after the last epoch; NaN if there is none.

        A trial that diverged or failed has none: its numbers before the end would flatter it.
        """
        if not self.history or self.status in {TrialStatus.DIVERGED, TrialStatus.FAILED}:
            return math.nan
        return objective.value(self.history[-1])
