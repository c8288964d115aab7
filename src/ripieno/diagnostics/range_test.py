"""The learning-rate range test: one short training whose learning rate grows at every step.

The suggestion must survive three things. A single bad batch early on is a spike: losses go
through a running median first. Batches differ: what is left is smoothed by an exponential
mean. At the end the loss rises like a cliff: the test stops there, and only what lies before
the lowest smoothed loss, and after it began to fall for good, is looked at. There the
suggestion is the rate at which the loss falls fastest for a relative change of the rate,
measured by a line through neighbouring points rather than by a difference of two.

Source: Smith, "Cyclical learning rates for training neural networks", WACV 2017 (section
3.3); the steepest point as the suggestion follows the fastai library.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ripieno.diagnostics.practice import Practice, drawn_alone
from ripieno.errors import RecipeError
from ripieno.recipes import Data, Recipe
from ripieno.space import Config

__all__ = ["RangeTest", "learning_rate_range", "smooth", "suggest"]

_MEDIAN = 5
_MEMORY = 0.85
_WINDOW = 4
_FALL = 0.05
_BEGUN = 0.1
_CLIFF = 2.0


@dataclass(frozen=True, slots=True)
class RangeTest:
    """Losses of a training whose learning rate grew at every step.

    Args:
        rates: Learning rates, ascending.
        losses: The loss of the batch before each step; as many as there are rates.
        smoothed: The same without spikes and noise.
        suggestion: A good learning rate; None where the loss never fell clearly.
        lowest: The rate at which the smoothed loss was lowest: a training diverges not far
            above it.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float | None
    lowest: float

    def to_dict(self) -> dict[str, Any]:
        """Return the test as what JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` returned."""
        curves = {name: tuple(tree[name]) for name in ("rates", "losses", "smoothed")}
        return cls(**curves, suggestion=tree["suggestion"], lowest=tree["lowest"])


def learning_rate_range(
    recipe: Recipe,
    data: Data,
    config: Config,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 140,
    seed: int = 0,
) -> RangeTest:
    """Train with a learning rate that grows from ``low`` to ``high`` by one factor a step.

    It ends early once the smoothed loss is over twice the first one, or no number.

    Args:
        recipe: How the model is trained.
        data: On whose training part.
        config: The model's; its learning rate and schedule are not used.
        low: First learning rate.
        high: Last learning rate.
        steps: How many, at least 20.
        seed: Of weights, order and dropout.

    Raises:
        RecipeError: The range is empty, or the model raises an error.
    """
    if not 0.0 < low < high or steps < 20:
        raise RecipeError(
            f"{steps} steps from {low:g} to {high:g} are no range of learning rates.",
            where="learning_rate_range(low=…, high=…, steps=…)",
            fix="give 0 < low < high and at least 20 steps.",
        )
    rates: list[float] = []
    losses: list[float] = []
    with drawn_alone(seed):
        practice = Practice(recipe, data, config, seed=seed)
        grid = np.geomspace(low, high, steps).tolist()
        for rate, rows in zip(grid, practice.batches(steps), strict=True):
            loss = practice.step(rows, rate=rate)
            if not math.isfinite(loss):
                break
            rates.append(rate)
            losses.append(loss)
            if len(losses) > 2 * _MEDIAN and min(losses[-3:]) > _CLIFF * _start(losses):
                break
    if not losses:
        rates, losses = [low], [math.inf]
    smoothed = smooth(losses)
    return RangeTest(
        tuple(rates),
        tuple(losses),
        tuple(smoothed.tolist()),
        suggest(rates, smoothed),
        rates[int(smoothed.argmin())],
    )


def smooth(losses: Sequence[float]) -> NDArray[np.float64]:
    """Return losses without spikes and noise, float64, same length.

    A running median of five, then an exponential mean whose weights sum to one at every
    point, so that it does not begin at zero.
    """
    values = np.asarray(losses, dtype=np.float64)
    half = _MEDIAN // 2
    padded = np.pad(values, half, mode="edge")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, _MEDIAN), axis=1)
    result = np.empty_like(medians)
    mean = weight = 0.0
    for index, value in enumerate(medians):
        mean = _MEMORY * mean + (1 - _MEMORY) * value
        weight = _MEMORY * weight + (1 - _MEMORY)
        result[index] = mean / weight
    return result


def suggest(rates: Sequence[float], smoothed: NDArray[np.float64]) -> float | None:
    """Return the rate of the steepest descent before the minimum; None where there is none.

    Args:
        rates: Learning rates, ascending, evenly spaced on a log scale.
        smoothed: Their losses, without spikes.

    Returns:
        None where the loss fell by less than five percent of what it was at first, or by less
        than three times as much as it moved in the first quarter, where rates are too small
        to change anything: that is noise.
    """
    lowest = int(smoothed.argmin())
    early = smoothed[: max(1, len(smoothed) // 4)]
    first = float(np.median(early))
    least = max(_FALL * abs(first), 3.0 * float(early.std()))
    if lowest < _WINDOW or not first - smoothed[lowest] > least:
        return None
    # Before the loss has begun to fall for good, every slope is noise.
    fallen = first - _BEGUN * (first - smoothed[lowest])
    begin = int(np.flatnonzero(smoothed[:lowest] >= fallen).max(initial=0))
    logs = np.log(np.asarray(rates, dtype=np.float64))
    slopes = []
    for index in range(begin, lowest + 1):
        near = slice(max(0, index - _WINDOW), min(lowest, index + _WINDOW) + 1)
        slopes.append(float(np.polyfit(logs[near], smoothed[near], 1)[0]))
    # An exponential mean lags: a point's loss is mostly that of the steps before it.
    steepest = max(0, begin + int(np.argmin(slopes)) - _WINDOW // 2)
    return float(rates[steepest])


def _start(losses: Sequence[float]) -> float:
    return float(np.median(losses[: 2 * _MEDIAN]))
