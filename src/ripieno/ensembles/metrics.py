"""How good class probabilities are. Pure functions of arrays; no row is weighted.

Throughout, ``probabilities`` has the shape ``(rows, classes)`` and ``targets`` holds the
number of the true class of each row, shape ``(rows,)``.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.errors import EnsembleError

__all__ = ["SMALLEST", "accuracy", "brier", "checked", "confusion_matrix", "log_loss"]

SMALLEST = float(np.finfo(np.float32).tiny)
"""Probabilities below this, 1.2e-38, count as this in a logarithm: 87 nats at most.

It is where float32 probabilities lose their digits, and where the log loss of a trial is
bounded too, so that trials and ensembles are measured alike.
"""


def log_loss(probabilities: ArrayLike, targets: ArrayLike) -> float:
    """Return the mean of ``-ln p(true class)``, in nats; less is better.

    A probability below 1.2e-38 counts as 1.2e-38, so that one row costs 87 nats at most.
    """
    p, y = checked(probabilities, targets)
    of_truth = p[np.arange(len(y)), y].astype(np.float64)
    return float(-np.log(np.clip(of_truth, SMALLEST, 1.0)).mean())


def accuracy(probabilities: ArrayLike, targets: ArrayLike) -> float:
    """Return the share of rows whose likeliest class is the true one; the lower class wins ties."""
    p, y = checked(probabilities, targets)
    return float((p.argmax(axis=1) == y).mean())


def brier(probabilities: ArrayLike, targets: ArrayLike) -> float:
    """Return the mean squared distance to the truth, summed over the classes; less is better.

    It lies in [0, 2]; for two classes it is halved, as scikit-learn has it, and looks at one
    class only.

    Source: Brier, Verification of forecasts expressed in terms of probability, 1950.
    """
    p, y = checked(probabilities, targets)
    error = p.astype(np.float64)
    error[np.arange(len(y)), y] -= 1.0
    total = float((error**2).sum(axis=1).mean())
    return total / 2 if p.shape[1] == 2 else total


def confusion_matrix(probabilities: ArrayLike, targets: ArrayLike) -> NDArray[np.int64]:
    """Count the rows of each true class (first axis) by their likeliest class (second axis).

    Returns:
        Counts, int64, shape ``(classes, classes)``.
    """
    p, y = checked(probabilities, targets)
    classes = p.shape[1]
    cells = np.bincount(y * classes + p.argmax(axis=1), minlength=classes**2)
    return cells.reshape(classes, classes)


def checked(
    probabilities: ArrayLike, targets: ArrayLike
) -> tuple[NDArray[np.floating[Any]], NDArray[np.int64]]:
    """Return the two as arrays of matching shapes.

    Raises:
        EnsembleError: There is no row, the shapes do not match, or a target is not a class.
    """
    p, y = np.asarray(probabilities), np.asarray(targets)
    if p.ndim != 2 or y.shape != p.shape[:1] or not len(y):
        raise EnsembleError(
            f"probabilities have the shape {p.shape} and targets the shape {y.shape}.",
            where="a metric of class probabilities",
            fix="pass the shapes (rows, classes) and (rows,), with at least one row.",
        )
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= p.shape[1]:
        raise EnsembleError(
            f"targets of the type {y.dtype} between {y.min()} and {y.max()} are not classes.",
            where=f"a metric of probabilities for {p.shape[1]} classes",
            fix=f"pass the number of each row's true class, from 0 to {p.shape[1] - 1}.",
        )
    return p, y.astype(np.int64, copy=False)
