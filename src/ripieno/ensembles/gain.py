"""Whether an ensemble is really better than the best single model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.ensembles.checks import (
    METRICS,
    SelectionMetric,
    balanced_shares,
    checked_columns,
    first_metric,
    label_truths,
)
from ripieno.ensembles.metrics import SMALLEST, checked
from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = ["Gain", "gain_interval"]

_CHUNK = 2_000_000


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better one model is than another on the same rows; positive is better.

    Args:
        value: The gain on these rows: a lower log loss, Brier score or RMSE, a higher accuracy.
        low: Lower end of the interval.
        high: Upper end of the interval.
        metric: What was measured.
        confidence: How often such an interval holds the true gain, about.
    """

    value: float
    low: float
    high: float
    metric: str
    confidence: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out, so that the difference is hardly chance."""
        return self.low > 0 or self.high < 0


def gain_interval(
    single: ArrayLike,
    ensemble: ArrayLike,
    targets: ArrayLike,
    *,
    metric: SelectionMetric | None = None,
    task: TaskName = "classification",
    confidence: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Gain:
    """Measure an ensemble against a single model, with a paired bootstrap interval.

    The rows are drawn again with replacement, the same ones for both models, and the gain is
    measured each time; the interval holds the middle ``confidence`` of these gains. Use rows
    that neither the search nor the selection has seen.

    Args:
        single: Probabilities of the single model, shape ``(rows, classes)``, or its values.
        ensemble: Probabilities of the ensemble on the same rows, same shape.
        targets: Number of the true class, shape ``(rows,)``; or labels or values.
        metric: What to measure; None takes the log loss, and for a regression the RMSE.
        task: What the predictions are of.
        confidence: Between 0 and 1.
        resamples: How often the rows are drawn again.
        seed: Seed of the draws.

    Raises:
        EnsembleError: The shapes do not match, or an argument is out of range.

    Source: Efron, Bootstrap methods: another look at the jackknife, 1979 (percentile form).
    """
    metric = metric or first_metric(task)
    _check(metric, confidence, resamples, task=task)
    if metric == "rmse":
        draws = _rmse_gains(single, ensemble, targets, resamples=resamples, seed=seed)
        return _gain(draws[0], draws[1:], metric=metric, confidence=confidence)
    if task == "regression":
        better = _closeness(ensemble, targets) - _closeness(single, targets)
    elif task == "multilabel":
        better = _label_scores(ensemble, targets, metric) - _label_scores(single, targets, metric)
    else:
        better = _row_scores(ensemble, targets, metric) - _row_scores(single, targets, metric)
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // len(better))
    means = np.concatenate(
        [
            better[rng.integers(len(better), size=(min(chunk, resamples - done), len(better)))]
            .mean(axis=1)
            for done in range(0, resamples, chunk)
        ]
    )  # fmt: skip
    return _gain(float(better.mean()), means, metric=metric, confidence=confidence)


def _gain(value: float, means: NDArray[np.float64], *, metric: str, confidence: float) -> Gain:
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Gain(float(value), float(low), float(high), metric, confidence)


def _rmse_gains(
    single: ArrayLike, ensemble: ArrayLike, targets: ArrayLike, *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Return how much lower the RMSE is: on the rows, then on each resample of them.

    The RMSE is no mean over rows: each resample is measured as a whole.
    """
    squares = []
    for predictions in (single, ensemble):
        p, y = checked_columns(predictions, targets, task="regression")
        squares.append((p - y) ** 2)
    if squares[0].shape != squares[1].shape:
        raise EnsembleError(
            f"there are values of the shapes {squares[0].shape} and {squares[1].shape}.",
            where="gain_interval",
            fix="pass the values of both models on the same rows.",
        )
    rng = np.random.default_rng(seed)
    both = np.stack(squares, axis=1)  # (rows, models, columns)
    whole = [np.sqrt(both.mean(axis=0))]
    whole += [
        np.sqrt(both[rng.integers(len(both), size=len(both))].mean(axis=0))
        for _ in range(resamples)
    ]
    roots = np.stack(whole).mean(axis=2)
    gains: NDArray[np.float64] = roots[:, 0] - roots[:, 1]
    return gains


def _closeness(values: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Return the negative mean absolute error of a row's columns, ``(rows,)``."""
    p, y = checked_columns(values, targets, task="regression")
    closeness: NDArray[np.float64] = -np.abs(p - y).mean(axis=1)
    return closeness


def _label_scores(p: ArrayLike, targets: ArrayLike, metric: str) -> NDArray[np.float64]:
    """Return one number a row, the mean over its labels, turned so that more is better."""
    values, y = checked_columns(p, targets, task="multilabel")
    if metric == "brier":
        squares: NDArray[np.float64] = -((values - y) ** 2).mean(axis=1)
        return squares
    scores: NDArray[np.float64] = np.log(label_truths(values, y)).mean(axis=1)
    return scores


def _row_scores(probabilities: ArrayLike, targets: ArrayLike, metric: str) -> NDArray[np.float64]:
    """Return one number a row whose mean is the metric, turned so that more is better."""
    p, y = checked(probabilities, targets)
    p = p.astype(np.float64)
    of_truth = p[np.arange(len(y)), y]
    scores: NDArray[np.float64]
    if metric == "log_loss":
        scores = np.log(np.clip(of_truth, SMALLEST, 1.0))
    elif metric == "accuracy":
        scores = (p.argmax(axis=1) == y).astype(np.float64)
    elif metric == "balanced_accuracy":
        scores = (p.argmax(axis=1) == y) * balanced_shares(y) * len(y)
    else:
        # Σ (p - onehot)² = Σ p² - 2 p(y) + 1
        scores = 2 * of_truth - (p**2).sum(axis=1) - 1
        # Halved for two classes, as the metric is.
        scores = scores / 2 if p.shape[1] == 2 else scores
    return scores


def _check(metric: str, confidence: float, resamples: int, *, task: TaskName) -> None:
    if metric not in METRICS[task]:
        problem = f"metric = {metric!r} has no mean over rows here."
    elif not 0 < confidence < 1:
        problem = f"confidence = {confidence} is not between 0 and 1."
    elif resamples < 1:
        problem = f"resamples = {resamples} draws nothing."
    else:
        return
    raise EnsembleError(
        problem,
        where="gain_interval",
        fix=f"use metric={' or '.join(map(repr, METRICS[task]))}, 0 < confidence < 1, "
        "resamples >= 1.",
    )
