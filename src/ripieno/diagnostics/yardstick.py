"""What trainings on some data are judged by, and what a constant answer would cost.

Classes and labels are judged by the log loss. Values are judged by the squared error, or by
the absolute one where the loss aims at the median; either is a share of what the best
constant costs on the training part, so that it needs no unit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.recipes import Data, Recipe, chosen_loss, complete, measure
from ripieno.records import Metrics
from ripieno.space import Value

__all__ = ["Yardstick"]


@dataclass(frozen=True, slots=True)
class Yardstick:
    """One loss for all parts of an examination.

    Args:
        metric: The metric of an epoch that the loss is made of; None where nothing fits what
            is trained, such as a quantile or a function of the user's on values.
        unit: What the metric is divided by.
        power: What the quotient is raised to.
        constant: Predictions of the best constant answer, shape ``(outputs,)``.
        data: Whose targets they are.
    """

    metric: str | None
    unit: float
    power: int
    constant: NDArray[np.float64]
    data: Data

    @classmethod
    def of(cls, recipe: Recipe, data: Data, config: Mapping[str, Value]) -> "Yardstick":
        """Return what trainings of a recipe on data are judged by."""
        y = data.train.y
        if not data.coding.is_regression:
            return cls("log_loss", 1.0, 1, _frequencies(data), data)
        columns = y.reshape(len(y), -1)
        found = _OF_VALUES.get(str(chosen_loss(complete(recipe, data), config)))
        if found is None:
            return cls(None, 1.0, 1, columns.mean(axis=0), data)
        metric, power, middle = found
        stick = cls(metric, 1.0, power, np.asarray(middle(columns)), data)
        unit = stick.constant_metric(y)
        return cls(metric, unit if unit > 0.0 else 1.0, power, stick.constant, data)

    def epoch_loss(self, metrics: Metrics) -> float:
        """Return the loss of an epoch itself, whichever epoch its trial answers with."""
        last = metrics.get(f"last_{self.metric}")
        return self.loss(metrics if last is None else {str(self.metric): last})

    def loss(self, metrics: Metrics) -> float:
        """Return the loss of what was measured on some rows; NaN where nothing fits."""
        value = metrics.get(self.metric or "", np.nan)
        return float((value / self.unit) ** self.power)

    def constant_loss(self, y: NDArray[Any]) -> float:
        """Return what the best constant answer costs on targets as a split holds them."""
        return float((self.constant_metric(y) / self.unit) ** self.power)

    def constant_metric(self, y: NDArray[Any]) -> float:
        """Return the metric of the constant answer on targets."""
        if self.metric is None:
            return float("nan")
        answers = np.broadcast_to(self.constant, (len(y), len(self.constant)))
        return measure(answers, y, metrics=(self.metric,), task=self.data.task)[self.metric]


def _mean(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(columns.mean(axis=0))


def _median(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.median(columns, axis=0))


_OF_VALUES: Mapping[str, tuple[str, int, Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
    "mse": ("rmse", 2, _mean),
    "huber": ("mae", 1, _median),
    "l1": ("mae", 1, _median),
}


def _frequencies(data: Data) -> NDArray[np.float64]:
    """Return how often each class or label is seen, each counted once more than it is."""
    y = data.train.y
    if data.task == "multilabel":
        return np.asarray((y.sum(axis=0) + 1.0) / (len(y) + 2.0))
    counts = np.bincount(y, minlength=len(data.classes)) + 1.0
    return np.asarray(counts / counts.sum())
