"""The only thing that goes from a scheduler to a runner."""

from dataclasses import dataclass

from ripieno.errors import SearchError
from ripieno.space import Config

__all__ = ["Order"]


@dataclass(frozen=True, slots=True)
class Order:
    """An instruction such as "train trial 7 from epoch 3 to epoch 9 as a copy of trial 2".

    Args:
        trial: Number of the trial, counted from 0 in the order of creation.
        config: The trial's config.
        start: Epochs that the trial has been trained for; 0 for a new trial.
        stop: Epochs that it will have been trained for afterwards; above ``start``.
        parent: The trial whose state it starts from, for a fork; else None.
        state: Key of the stored state to start from. A scheduler leaves it None; the loop
            fills it in from the ledger before a runner sees the order.
    """

    trial: int
    config: Config
    start: int
    stop: int
    parent: int | None = None
    state: str | None = None

    def __post_init__(self) -> None:
        if self.trial < 0:
            raise SearchError(
                f"trial = {self.trial} is no number of a trial.",
                where=f"Order({self.trial}, …)",
                fix="number trials from 0 in the order of creation.",
            )
        if not 0 <= self.start < self.stop:
            raise SearchError(
                f"an order from epoch {self.start} to epoch {self.stop} trains nothing.",
                where=f"trial {self.trial}",
                fix="order at least one epoch: 0 <= start < stop.",
            )

    @property
    def epochs(self) -> int:
        """How many epochs the order trains."""
        return self.stop - self.start
