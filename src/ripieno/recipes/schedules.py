"""Learning-rate schedules as pure functions of the position in training.

Nothing is remembered from step to step, so a trial that was stopped and goes on has the
same rates as one that was not.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from ripieno.recipes.knobs import Knobs

__all__ = ["SCHEDULES", "learning_rate_factor"]


def _constant(progress: float, epochs: float, knobs: Knobs) -> float:  # noqa: ARG001
    return 1.0


def _cosine(progress: float, epochs: float, knobs: Knobs) -> float:  # noqa: ARG001
    return 0.5 * (1.0 + math.cos(math.pi * progress))  # Eq. (5) of SGDR, without restarts


def _exponential(progress: float, epochs: float, knobs: Knobs) -> float:
    return math.pow(knobs.schedule_gamma, progress * epochs)


def _polynomial(progress: float, epochs: float, knobs: Knobs) -> float:  # noqa: ARG001
    return math.pow(1.0 - progress, knobs.schedule_power)


SCHEDULES: Mapping[str, Callable[[float, float, Knobs], float]] = MappingProxyType(
    {
        "constant": _constant,
        "cosine": _cosine,
        "exponential": _exponential,
        "polynomial": _polynomial,
    }
)
"""Schedules by name: functions of the progress in [0, 1] and the epochs that it spans."""


def learning_rate_factor(step: int, steps: int, *, epochs: int, knobs: Knobs) -> float:
    """Return what the learning rate is multiplied with in one step.

    Over the first ``warmup_epochs`` the factor rises in a line, from one step's share to 1;
    then the schedule runs over the epochs that are left.

    Args:
        step: Steps taken before this one, over all epochs.
        steps: Steps an epoch.
        epochs: Length of the whole training; beyond it the factor stays where it ended.
        knobs: The trial's knobs.

    Source: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts",
    ICLR 2017 (cosine).
    """
    warmup = min(round(knobs.warmup_epochs * steps), epochs * steps)
    if step < warmup:
        return (step + 1) / warmup
    left = epochs * steps - warmup
    progress = min((step - warmup) / left, 1.0) if left else 1.0
    return SCHEDULES[knobs.schedule](progress, left / steps, knobs)
