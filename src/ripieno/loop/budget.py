"""How much a study may spend, and why it ended."""

import math
from dataclasses import dataclass
from enum import StrEnum

from ripieno.errors import StudyError

__all__ = ["Budget", "StopReason"]


class StopReason(StrEnum):
    """Why a run of the loop ended."""

    FINISHED = "finished"
    """The scheduler has nothing more to order."""
    BUDGET_SECONDS = "budget_seconds"
    BUDGET_EPOCHS = "budget_epochs"
    TARGET = "target"
    """A trial reached the target value."""
    INTERRUPTED = "interrupted"
    """Ctrl-C."""
    DISK = "disk"
    """There is no more room than the running orders need to keep what they trained."""
    FAILURES = "failures"
    """One order after the other failed."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a whole study may spend, over all its sessions; None where there is no limit.

    Args:
        seconds: Running time. What is being trained then is stopped and keeps its epochs.
        epochs: Epochs trained, over all trials. No order is given once the orders that are
            out would reach it; those are carried out to their end.
        target: A value of the objective that is good enough to stop.
        failures: Orders that may fail one after the other, in one session.

    Raises:
        StudyError: A limit is not positive, or not a number.
    """

    seconds: float | None = None
    epochs: int | None = None
    target: float | None = None
    failures: int | None = None

    def __post_init__(self) -> None:
        for name in ("seconds", "epochs", "failures"):
            limit = getattr(self, name)
            if limit is not None and not 0 < limit < math.inf:
                raise StudyError(
                    f"a budget of {name} = {limit} leaves nothing to do.",
                    where=f"Budget({name}={limit})",
                    fix=f"give a positive number of {name}, or None for no limit.",
                )
        if self.target is not None and math.isnan(self.target):
            raise StudyError(
                "the target is NaN, which no trial reaches.",
                where="Budget(target=nan)",
                fix="give a value of the objective, or None.",
            )
