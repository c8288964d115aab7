"""What a simulated search searches: a formula, or a look in a table, instead of training."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Self

from ripieno.errors import SearchError
from ripieno.records import Config, Metrics, Objective, Order
from ripieno.space import Space

__all__ = ["Problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A space with the answer to every question that a search can ask.

    Args:
        name: What it is called.
        space: What is searched.
        measure: ``measure(config, epoch, repeat)``, the objective's value after an epoch,
            counted from 1; NaN where a training has diverged by then.
        objective: What the value is called, and whether less or more of it is better.
        epochs: Epochs that a trial is trained for at most.
        seconds: Virtual seconds that an epoch of a config takes on a healthy worker.
        repeats: How many trainings of one config there are to look at. Each trial is one of
            them, drawn from the seed and its number: a config that is tried twice may give
            two values, as a second training would.
        optimum: The best value of any config, over all of its repeats; None if unknown.

    Raises:
        SearchError: ``epochs`` or ``repeats`` is below 1.
    """

    name: str
    space: Space
    measure: Callable[[Config, int, int], float]
    objective: Objective = field(default_factory=lambda: Objective("loss"))
    epochs: int = 1
    seconds: Callable[[Config], float] = lambda _: 1.0
    repeats: int = 1
    optimum: float | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.repeats < 1:
            raise SearchError(
                f"epochs = {self.epochs} and repeats = {self.repeats} leave nothing to measure.",
                where=f"Problem(name={self.name!r})",
                fix="give one epoch and one repeat, or more.",
            )

    def at_the_end(self) -> Self:
        """Return the problem with one long epoch, whose value is that of the last one."""
        measure, seconds, last = self.measure, self.seconds, self.epochs
        return replace(
            self,
            measure=lambda config, _, repeat: measure(config, last, repeat),
            epochs=1,
            seconds=lambda config: last * seconds(config),
        )

    def repeat_of(self, trial: int, *, seed: int) -> int:
        """Return which of the repeats a trial is."""
        text = f"{seed} {trial} repeat".encode()
        draw = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
        return draw * self.repeats >> 64

    def row(self, order: Order, epoch: int, *, seed: int) -> Metrics:
        """Return the row of metrics that an order gives after one of its epochs."""
        repeat = self.repeat_of(order.trial, seed=seed)
        return {self.objective.metric: self.measure(order.config, epoch, repeat)}

    def value(self, config: Config) -> float:
        """Return a config's value after the last epoch, the mean of all repeats that have one."""
        measured = [self.measure(config, self.epochs, repeat) for repeat in range(self.repeats)]
        finite = [value for value in measured if math.isfinite(value)]
        return fmean(finite) if finite else math.nan

    def regret(self, config: Config) -> float:
        """Return by how much a config's value is worse than the optimum; never a lucky draw.

        Raises:
            SearchError: The optimum is not known.
        """
        if self.optimum is None:
            raise SearchError(
                f"the optimum of {self.name!r} is not known.",
                where="Problem.regret",
                fix="give Problem(optimum=…), the best value of any config.",
            )
        objective = self.objective
        return objective.badness(self.value(config)) - objective.badness(self.optimum)
