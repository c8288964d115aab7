"""Learning-rate schedules as pure functions of the position in training.

Nothing is remembered from step to step, so a trial that was stopped and goes on has the
same rates as one that was not. ``plateau`` alone looks at what training gave: at the values
of the validation metric, epoch by epoch, which a trial stores with its state.

Sources: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts",
ICLR 2017 (cosine, restarts); Smith and Topin, "Super-convergence: Very fast training of
neural networks using large learning rates", 2019 (one cycle).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ripieno.recipes.knobs import Knobs

__all__ = ["SCHEDULES", "Position", "learning_rate_factor"]

_START, _END = 1 / 25, 1 / 25e4
"""Where one_cycle starts and ends, as shares of its peak: torch's defaults."""
_THRESHOLD, _SMALLEST_CUT = 1e-4, 1e-8
"""What torch's plateau takes for better, relatively, and for too small a cut to make."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where training stands.

    Args:
        step: Steps since the warm-up ended.
        total: Steps of the whole training after the warm-up.
        steps: Steps an epoch.
        values: The validation metric after each epoch that ended after the warm-up, in the
            direction in which less is better.
    """

    step: int
    total: int
    steps: int
    values: Sequence[float] = ()

    @property
    def progress(self) -> float:
        """The share of the training that is done; 1 beyond its end."""
        return min(self.step / self.total, 1.0) if self.total else 1.0


def _constant(at: Position, knobs: Knobs) -> float:  # noqa: ARG001
    return 1.0


def _cosine(at: Position, knobs: Knobs) -> float:  # noqa: ARG001
    return 0.5 * (1.0 + math.cos(math.pi * at.progress))  # Eq. (5) of SGDR, without restarts


def _cosine_restarts(at: Position, knobs: Knobs) -> float:
    length, since = knobs.schedule_period * at.steps, float(at.step)
    if knobs.schedule_period_mult == 1:
        since = math.fmod(since, length)
    while since >= length:
        since -= length
        length *= knobs.schedule_period_mult
    return 0.5 * (1.0 + math.cos(math.pi * since / length))  # Eq. (5) of SGDR


def _exponential(at: Position, knobs: Knobs) -> float:
    return math.pow(knobs.schedule_gamma, at.progress * (at.total / at.steps))


def _polynomial(at: Position, knobs: Knobs) -> float:
    return math.pow(1.0 - at.progress, knobs.schedule_power)


def _step(at: Position, knobs: Knobs) -> float:
    return math.pow(knobs.schedule_gamma, math.floor(at.step / (knobs.schedule_period * at.steps)))


def _one_cycle(at: Position, knobs: Knobs) -> float:
    last = at.total - 1
    peak = knobs.schedule_peak * at.total - 1
    step = min(at.step, last)
    if step <= peak:
        return _between(_START, 1.0, share=step / peak if peak > 0 else 1.0)
    return _between(1.0, _END, share=(step - peak) / (last - peak) if last > peak else 1.0)


def _plateau(at: Position, knobs: Knobs) -> float:
    factor, best, bad = 1.0, math.inf, 0
    for value in at.values:
        if value < best * (1.0 - _THRESHOLD if best > 0 else 1.0 + _THRESHOLD):
            best, bad = value, 0
        else:
            bad += 1
        if bad > knobs.schedule_patience:
            lower, bad = factor * knobs.schedule_gamma, 0
            if knobs.lr * (factor - lower) > _SMALLEST_CUT:
                factor = lower
    return factor


def _between(start: float, end: float, *, share: float) -> float:
    return end + (start - end) / 2.0 * (1.0 + math.cos(math.pi * share))


SCHEDULES: Mapping[str, Callable[[Position, Knobs], float]] = MappingProxyType(
    {
        "constant": _constant,
        "cosine": _cosine,
        "cosine_restarts": _cosine_restarts,
        "exponential": _exponential,
        "polynomial": _polynomial,
        "step": _step,
        "one_cycle": _one_cycle,
        "plateau": _plateau,
    }
)
"""Schedules by name."""


def learning_rate_factor(
    step: int, steps: int, *, epochs: int, knobs: Knobs, values: Sequence[float] = ()
) -> float:
    """Return what the learning rate is multiplied with in one step.

    Over the first ``warmup_epochs`` the factor rises in a line, from one step's share to 1;
    then the schedule runs over the epochs that are left.

    Args:
        step: Steps taken before this one, over all epochs.
        steps: Steps an epoch.
        epochs: Length of the whole training; beyond it the factor stays where it ended, but
            for ``cosine_restarts`` and ``step``, which go on.
        knobs: The trial's knobs.
        values: The validation metric after each epoch so far, in the direction in which less
            is better; ``plateau`` alone looks at them.
    """
    warmup = min(round(knobs.warmup_epochs * steps), epochs * steps)
    if step < warmup:
        return (step + 1) / warmup
    seen = values[math.floor(knobs.warmup_epochs) :]
    at = Position(step - warmup, epochs * steps - warmup, steps, seen)
    return SCHEDULES[knobs.schedule](at, knobs)
