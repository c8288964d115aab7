"""scikit-learn's scorers as metrics of a search."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from ripieno.recipes import METRICS, Metric, TaskName

__all__ = ["metric_of"]

_DEFAULT: dict[TaskName, str] = {
    "classification": "accuracy",
    "multilabel": "subset_accuracy",
    "regression": "r2",
}


def metric_of(scorer: Any, scoring: object, *, task: TaskName, classes: Any) -> str | Metric:
    """Return what a search is after: more of it is better, as in scikit-learn.

    Args:
        scorer: A scorer, ``scorer(estimator, x, y)``; None for what an estimator's own
            ``score`` measures, the accuracy or R².
        scoring: What the user named it by: its name, or itself.
        task: What is predicted.
        classes: The labels by number, for a classification.
    """
    if scorer is None or scoring == _DEFAULT[task]:
        return _DEFAULT[task]
    name = scoring if isinstance(scoring, str) else getattr(scorer, "__name__", "score")
    if name in METRICS[task]:
        # Ripieno has a metric of this name; scikit-learn's own is what is asked for.
        name = f"{name}_score"
    return Metric(Scored(scorer, task, classes), direction="maximize", name=name)


@dataclass(frozen=True, slots=True)
class Scored:
    """A scorer as a function of targets and predictions."""

    scorer: Any
    task: TaskName
    classes: Any

    def __call__(self, y: NDArray[Any], predictions: NDArray[Any]) -> float:
        """Score an estimator that gives these predictions, whatever it is asked about."""
        if not np.isfinite(predictions).all():
            return math.nan
        estimator, truth = self._as_estimator(predictions), y
        if self.task == "classification":
            truth = self.classes[y]
        # A metric is told predictions, and not the rows that they are of: numbers stand in.
        return float(self.scorer(estimator, np.arange(len(y)).reshape(-1, 1), truth))

    def _as_estimator(self, predictions: NDArray[Any]) -> Any:
        if self.task == "regression":
            return _Values(predictions)
        if self.task == "multilabel":
            return _Labels(predictions)
        return _Classes(predictions, self.classes)


class _Values(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def predict(self, rows: object) -> NDArray[Any]:  # noqa: ARG002 - the answer is given
        return self.values


class _Labels(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # as above
    def __init__(self, probabilities: NDArray[Any]) -> None:
        self.probabilities = probabilities
        self.classes_ = np.arange(probabilities.shape[1])

    def predict(self, rows: object) -> NDArray[Any]:  # noqa: ARG002 - the answer is given
        return (self.probabilities > 0.5).astype(np.int64)

    def predict_proba(self, rows: object) -> NDArray[Any]:  # noqa: ARG002 - the answer is given
        return self.probabilities


class _Classes(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # as above
    def __init__(self, probabilities: NDArray[Any], classes: NDArray[Any]) -> None:
        # Stored as float32, and scikit-learn warns of a sum that is not 1 in float64.
        self.probabilities: NDArray[Any] = probabilities / probabilities.sum(axis=1, keepdims=True)
        self.classes_ = classes

    def predict(self, rows: object) -> NDArray[Any]:  # noqa: ARG002 - the answer is given
        answers: NDArray[Any] = self.classes_[self.probabilities.argmax(axis=1)]
        return answers

    def predict_proba(self, rows: object) -> NDArray[Any]:  # noqa: ARG002 - the answer is given
        return self.probabilities
