"""How good answers about classes and labels are, by scikit-learn's definitions.

``y`` holds classes, int64 ``(rows,)``, or labels, 0 and 1, ``(rows, labels)``. ``p`` holds
probabilities ``(rows, classes)`` or ``(rows, labels)``, and ``answers`` are of the shape of
``y``. Where rows of a kind are missing that a number is made of, the classes or labels
concerned are left out of its mean; where that leaves none, it is NaN.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "accuracy",
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "brier",
    "ece",
    "f1_macro",
    "f1_micro",
    "label_f1",
    "label_log_loss",
    "log_loss",
    "mean_over_labels",
    "subset_accuracy",
]

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

_BINS = 15
# What scikit-learn keeps float32 probabilities away from 0 and 1 by.
_SMALL = float(np.finfo(np.float32).eps)


def log_loss(y: Ints, logs: Floats) -> float:
    """Return the mean negative log-probability of the right class; nothing is clipped.

    Args:
        y: Right classes.
        logs: Log-probabilities, shape ``(rows, classes)``.
    """
    right = np.take_along_axis(logs, y[:, None], axis=1)
    return float(-right.mean(dtype=np.float64))


def accuracy(y: Ints, answers: Ints) -> float:
    """Return the share of rows whose answer is right."""
    return float((answers == y).mean())


def balanced_accuracy(y: Ints, answers: Ints) -> float:
    """Return the mean over the classes of the share of their rows that is right."""
    right, rows, _ = _counts(y, answers)
    return float(np.mean(right[rows > 0] / rows[rows > 0]))


def f1_macro(y: Ints, answers: Ints) -> float:
    """Return the mean of F1 over the classes that are there or are answered."""
    right, rows, answered = _counts(y, answers)
    seen = rows + answered > 0
    return float(np.mean(2 * right[seen] / (rows + answered)[seen]))


def f1_micro(y: Ints, answers: Ints) -> float:
    """Return F1 of all decisions together: with one class a row, the accuracy."""
    return accuracy(y, answers)


def _counts(y: Ints, answers: Ints) -> tuple[Ints, Ints, Ints]:
    """Return for each class: rows that are right, rows, and rows that are answered so."""
    classes = int(max(y.max(), answers.max())) + 1
    return (
        np.bincount(y[y == answers], minlength=classes),
        np.bincount(y, minlength=classes),
        np.bincount(answers, minlength=classes),
    )


def auroc(y: Ints, p: Floats) -> float:
    """Return the area under the ROC curve: of two classes, or each against the rest.

    It is the chance that a row of the class has a higher probability of it than another row.

    Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982.
    """
    return _one_against_rest(_area, y, p)


def average_precision(y: Ints, p: Floats) -> float:
    """Return the precision at each answer, weighted by what it adds to the recall."""
    return _one_against_rest(_precision, y, p)


def _one_against_rest(
    function: Callable[[NDArray[np.bool_], Floats], float], y: Ints, p: Floats
) -> float:
    if p.shape[1] == 2:
        return function(y == 1, p[:, 1])
    return _mean([function(y == k, p[:, k]) for k in range(p.shape[1])])


def mean_over_labels(
    function: Callable[[NDArray[np.int64], Floats], float],
) -> Callable[[Ints, Floats], float]:
    """Return the metric of labels that is the mean of a metric of two classes."""

    def over_labels(y: Ints, p: Floats) -> float:
        columns = range(p.shape[1])
        return _mean([function(y[:, k], np.stack([1 - p[:, k], p[:, k]], axis=1)) for k in columns])

    return over_labels


def _mean(values: list[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _area(there: NDArray[np.bool_], p: Floats) -> float:
    positives = int(there.sum())
    negatives = len(there) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, counts = np.unique(p, return_inverse=True, return_counts=True)
    # Equal probabilities share the mean of their ranks.
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(-1)]
    pairs = ranks[there].sum() - positives * (positives + 1) / 2
    return float(pairs / (positives * negatives))


def _precision(there: NDArray[np.bool_], p: Floats) -> float:
    if not there.any():
        return float("nan")
    values, place = np.unique(-p, return_inverse=True)
    hits = np.bincount(place.reshape(-1), weights=there, minlength=len(values))
    found = np.cumsum(hits)
    asked = np.cumsum(np.bincount(place.reshape(-1), minlength=len(values)))
    return float((hits / there.sum() * found / asked).sum())


def brier(y: Ints, p: Floats) -> float:
    """Return the mean squared distance to the truth over the classes; halved for two.

    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    of_truth = np.take_along_axis(p, y[:, None], axis=1)[:, 0]
    # Σ (p - onehot)² = Σ p² - 2 p(y) + 1
    total = float(((p**2).sum(axis=1) - 2 * of_truth + 1).mean())
    return total / 2 if p.shape[1] == 2 else total


def ece(y: Ints, p: Floats) -> float:
    """Return the mean distance between confidence and accuracy over 15 bins of equal width.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    confidence = p.max(axis=1).astype(np.float64)
    bins = np.clip(np.ceil(confidence * _BINS).astype(np.int64) - 1, 0, _BINS - 1)
    excess = (p.argmax(axis=1) == y) - confidence
    return float(np.abs(np.bincount(bins, weights=excess, minlength=_BINS)).sum() / len(y))


def subset_accuracy(y: Ints, answers: Ints) -> float:
    """Return the share of rows all of whose labels are right."""
    return float((answers == y).all(axis=1).mean())


def label_log_loss(y: Ints, p: Floats) -> float:
    """Return the mean negative log-probability of what is true of each label.

    Probabilities are kept 1.2e-7 away from 0 and 1, as scikit-learn does with float32.
    """
    near = np.clip(p.astype(np.float64), _SMALL, 1 - _SMALL)
    return float(-np.log(np.where(y == 1, near, 1 - near)).mean())


def label_f1(y: Ints, answers: Ints, *, micro: bool) -> float:
    """Return the mean of F1 over the labels, or F1 of all decisions if ``micro``.

    A label that no row has and no answer names counts 0, as scikit-learn has it.
    """
    axis = None if micro else 0
    right = np.asarray((y & answers).sum(axis=axis))
    named = np.asarray(y.sum(axis=axis) + answers.sum(axis=axis))
    return float(np.mean(2 * right / np.maximum(named, 1)))
