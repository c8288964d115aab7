"""The validation metric over a trial's epochs, and a copy of the best of them.

What a trial continues from is always its last epoch. What it answers with, and is judged by,
is its last epoch too, unless ``restore="best"`` or early stopping asks for the best one; then
that epoch's weights, metrics and predictions are kept beside the last state.

Source: Prechelt, "Early stopping - but when?", Neural Networks: Tricks of the Trade, 1998.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.recipes.knobs import Knobs
from ripieno.records import Arrays, Metrics

__all__ = ["Best", "Watch", "keeps_best", "watches"]

_VALUES, _INHERITED, _PREDICTIONS = "watch/values", "watch/inherited", "watch/predictions"
_METRIC, _MODEL = "watch/metric/", "watch/model/"


def keeps_best(knobs: Knobs) -> bool:
    """Say whether a trial answers with its best epoch."""
    return knobs.restore == "best" or knobs.early_stopping > 0


def watches(knobs: Knobs) -> bool:
    """Say whether a trial looks at its validation metric at all."""
    return keeps_best(knobs) or knobs.schedule == "plateau"


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """What the best epoch left.

    Args:
        metrics: Its validation metrics.
        predictions: Its predictions on the validation part.
        model: A copy of the module's state after it.
    """

    metrics: Metrics
    predictions: NDArray[Any]
    model: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """A trial's validation metric, epoch by epoch.

    Args:
        values: One value an epoch, in the direction in which less is better.
        best: The first of the trial's own epochs with the lowest value; None where it is not
            kept.
        inherited: How many of the values are those of the trial it was forked from. They
            count for the schedule, which goes on, and not for the best epoch.
    """

    values: tuple[float, ...] = ()
    best: Best | None = None
    inherited: int = 0

    @property
    def epochs_since_best(self) -> int:
        """Epochs after the best one; 0 where the last one is the best."""
        own = [math.inf if math.isnan(v) else v for v in self.values[self.inherited :]]
        return len(own) - 1 - own.index(min(own)) if own else 0

    def ended(self, knobs: Knobs) -> bool:
        """Say whether early stopping ends the trial here."""
        return 0 < knobs.early_stopping <= self.epochs_since_best

    def after(self, value: float, epoch: Best, knobs: Knobs) -> Self:
        """Return the watch after one more epoch.

        Args:
            value: The epoch's metric, less is better.
            epoch: What the epoch left: kept, not copied, if it is the best.
            knobs: The trial's knobs.
        """
        grown = replace(self, values=(*self.values, value))
        if not keeps_best(knobs):
            return replace(grown, best=None)
        is_best = self.best is None or grown.epochs_since_best == 0
        return replace(grown, best=epoch if is_best else self.best)

    def forked(self) -> Self:
        """Return what a trial takes over that starts as a copy of this one."""
        return replace(self, best=None, inherited=len(self.values))

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return arrays to store beside the state of the last epoch."""
        arrays: dict[str, NDArray[Any]] = {_VALUES: np.array(self.values, dtype=np.float64)}
        if self.inherited:
            arrays[_INHERITED] = np.array(self.inherited)
        if self.best is None:
            return arrays
        arrays[_PREDICTIONS] = self.best.predictions
        for name, value in self.best.metrics.items():
            arrays[_METRIC + name] = np.array(value, dtype=np.float64)
        if self.epochs_since_best:  # else it is the state beside this one
            for name, tensor in self.best.model.items():
                arrays[_MODEL + name] = tensor.cpu().contiguous().numpy()
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays, model: Mapping[str, Tensor]) -> Self | None:
        """Read what :meth:`to_arrays` returned; None where nothing was watched.

        Args:
            arrays: Arrays by name; others are left alone.
            model: The module's state after the last epoch.
        """
        if _VALUES not in arrays:
            return None
        best = None
        if _PREDICTIONS in arrays:
            best = Best(
                {n: float(a) for n, a in _named(arrays, _METRIC).items()},
                np.array(arrays[_PREDICTIONS]),
                {n: torch.from_numpy(np.array(a)) for n, a in _named(arrays, _MODEL).items()}
                or model,
            )
        values = tuple(float(value) for value in arrays[_VALUES])
        return cls(values, best, int(arrays.get(_INHERITED, 0)))


def _named(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
