"""What an order gave."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ripieno.records.order import Order

__all__ = ["Metrics", "Outcome", "OutcomeStatus"]

Metrics = Mapping[str, float]
"""One epoch's row of metrics: names and numbers."""


class OutcomeStatus(StrEnum):
    """How an order ended."""

    DONE = "done"
    """Every epoch was trained, or early stopping ended the trial."""
    DIVERGED = "diverged"
    """A loss or a weight was no longer a finite number."""
    FAILED = "failed"
    """The model, the data or the user's function raised an error."""
    STOPPED = "stopped"
    """The study was stopped first; the epochs that were finished are kept."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one order gave.

    Args:
        order: The order that was carried out.
        status: How it ended.
        metrics: One row an epoch, for epochs ``order.start + 1 …``; all of them where the
            status is ``done``, unless early stopping ended the trial: then it stands as if
            it were trained to the end, and a later order for it gives no rows.
        seconds: Wall time spent.
        state: Key of the stored state after the last row of metrics; None if none was kept.
        predictions: Key of the stored validation predictions of that state.
        error: What went wrong, for ``diverged`` and ``failed``.
        notes: What the runner decided and why (tier, width), as text.
    """

    order: Order
    status: OutcomeStatus
    metrics: tuple[Metrics, ...] = ()
    seconds: float = 0.0
    state: str | None = None
    predictions: str | None = None
    error: str | None = None
    notes: str | None = None

    @property
    def reached(self) -> int:
        """Epochs that the trial has been trained for now."""
        return self.order.start + len(self.metrics)
