"""What is different from plain training where a stack is trained on an objective of its own."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ripieno.population.step import Batch

__all__ = ["Hooks", "Objective", "Turn"]


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One batch of every member, and where the training stands.

    Args:
        batch: What a step is given; see ``Batch``.
        rows: Numbers of the training rows in it, int64, ``(members, batch)``.
        step: Steps taken before this one, over all epochs.
        steps: Steps an epoch.
    """

    batch: Batch
    rows: Tensor
    step: int
    steps: int


Objective = Callable[[Tensor, Turn], Tensor]


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is different from plain training.

    Args:
        objective: From outputs ``(members, batch, outputs)`` and the turn to what each member
            minimizes, ``(members,)``; its sum is differentiated, so that what is detached in
            it holds still. None for the config's own loss.
        steady: Whether the objective is the same operations on the turn's tensors at every
            turn, and on others that do not change: it is then recorded, and no longer called.
        rates: Learning rates of a turn, float64, ``(members,)``; None for the schedule's.
        change: Another turn in place of one: other inputs.
        after_step: Called after each step.
    """

    objective: Objective | None = None
    steady: bool = False
    rates: Callable[[Turn], Tensor] | None = None
    change: Callable[[Turn], Turn] | None = None
    after_step: Callable[[Turn], None] | None = None
