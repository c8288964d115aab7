"""What predictions and targets of each task must look like."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = [
    "FEWEST",
    "METRICS",
    "SelectionMetric",
    "bad_values",
    "balanced_shares",
    "checked_columns",
    "checked_targets",
    "first_metric",
    "label_truths",
    "selection_metric",
]

FEWEST: Mapping[TaskName, int] = MappingProxyType(
    {"classification": 2, "multilabel": 1, "regression": 1}
)
"""How many outputs there are at least."""

SelectionMetric = Literal["log_loss", "accuracy", "balanced_accuracy", "brier", "rmse", "mae"]

METRICS: Mapping[TaskName, tuple[SelectionMetric, ...]] = MappingProxyType(
    {
        "classification": ("log_loss", "accuracy", "balanced_accuracy", "brier"),
        "multilabel": ("log_loss", "brier"),
        "regression": ("rmse", "mae"),
    }
)
"""What an ensemble can be selected by and compared in; the first is taken unless told."""

_SUM_TOLERANCE = 1e-3
# What float32 probabilities of labels are kept away from 0 and 1 by, in trials' metrics too.
_LABEL_EDGE = float(np.finfo(np.float32).eps)

Floats = NDArray[np.floating[Any]]


_EQUIVALENT: Mapping[str, SelectionMetric] = MappingProxyType(
    {"r2": "rmse", "pinball": "mae", "pinball_0.5": "mae"}
)
"""Metrics that are best where another one is: their own numbers are not needed."""


def selection_metric(metric: str, task: TaskName) -> SelectionMetric:
    """Return what an ensemble is selected by where a metric is wanted in the end.

    The metric itself where a selection can improve it, or one that is best where it is; else
    the first metric of the task. Those that are no mean over rows (F1, AUROC, average
    precision) and a user's own are not improved model by model.
    """
    wanted = _EQUIVALENT.get(metric, metric)
    return next((known for known in METRICS[task] if known == wanted), first_metric(task))


def first_metric(task: TaskName) -> SelectionMetric:
    """Return what predictions of a task are selected by and compared in unless told."""
    return METRICS[task][0]


def checked_targets(given: ArrayLike, *, task: TaskName, rows: int, outputs: int) -> NDArray[Any]:
    """Return targets in the type of their task.

    Args:
        given: Targets.
        task: The task.
        rows: How many rows there are predictions of.
        outputs: How many classes, labels or columns.

    Returns:
        int64 ``(rows,)`` or ``(rows, labels)``, or float64 ``(rows, columns)``.

    Raises:
        EnsembleError: They have another shape or type, or a value that the task does not have.
    """
    array = np.asarray(given)
    if task == "classification":
        return _classes(array, rows=rows, classes=outputs)
    if task == "regression" and array.shape == (rows,):
        array = array[:, None]
    whole = np.issubdtype(array.dtype, np.integer) or array.dtype == bool
    if array.shape != (rows, outputs) or not (whole or np.issubdtype(array.dtype, np.floating)):
        raise EnsembleError(
            f"targets have the shape {array.shape} and the type {array.dtype}.",
            where=f"predictions of {task} of shape ({rows}, {outputs})",
            fix="pass one row of numbers for each row that is predicted.",
        )
    if task == "multilabel":
        if not np.isin(array, (0, 1)).all():
            raise EnsembleError(
                "targets hold numbers that are neither 0 nor 1.",
                where=f"labels of {rows} rows",
                fix="pass 1 where a row has the label, and 0 where it has not.",
            )
        return array.astype(np.int64, copy=False)
    if not np.isfinite(array).all():
        raise EnsembleError(
            "targets hold numbers that are not finite.",
            where=f"{rows} rows",
            fix="leave out rows without a target.",
        )
    return array.astype(np.float64, copy=False)


def _classes(array: NDArray[Any], *, rows: int, classes: int) -> NDArray[np.int64]:
    if array.shape != (rows,) or not np.issubdtype(array.dtype, np.integer):
        raise EnsembleError(
            f"targets have the shape {array.shape} and the type {array.dtype}, "
            f"and the probabilities have {rows} rows.",
            where="Predictions(probabilities, targets, …)",
            fix="pass one whole number a row: the number of its true class.",
        )
    wrong = np.flatnonzero((array < 0) | (array >= classes))
    if wrong.size:
        raise EnsembleError(
            f"the target {int(array[wrong[0]])} of row {int(wrong[0])} is not a class.",
            where=f"Predictions with {classes} classes",
            fix=f"number the classes from 0 to {classes - 1}.",
        )
    return array.astype(np.int64, copy=False)


def checked_columns(
    predictions: ArrayLike, targets: ArrayLike, *, task: TaskName
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return predictions of labels or values, ``(rows, columns)``, and targets of that shape.

    Raises:
        EnsembleError: The shapes do not match, or there is no row.
    """
    p = np.asarray(predictions, dtype=np.float64)
    p = p[:, None] if p.ndim == 1 else p
    if p.ndim != 2 or not p.size:
        raise EnsembleError(
            f"predictions have the shape {p.shape}.",
            where=f"a metric of {task}",
            fix="pass the shape (rows, columns), with at least one row.",
        )
    return p, checked_targets(targets, task=task, rows=len(p), outputs=p.shape[1])


def balanced_shares(targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what a row counts where all classes that are there count alike; of sum 1."""
    _, classes, counts = np.unique(targets, return_inverse=True, return_counts=True)
    shares: NDArray[np.float64] = 1.0 / (len(counts) * counts[classes])
    return shares


def label_truths(p: Floats, targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probabilities of what is true of each label: that it is there, or is not."""
    exact = p.astype(np.float64)
    return np.clip(np.where(targets == 1, exact, 1 - exact), _LABEL_EDGE, 1 - _LABEL_EDGE)


def bad_values(array: Floats, task: TaskName) -> tuple[NDArray[np.bool_], str, str] | None:
    """Find what no model of the task predicts: which rows of which members, and what it is.

    Args:
        array: Shape ``(members, rows, outputs)``.
        task: The task.
    """
    with np.errstate(invalid="ignore"):
        sums = array.sum(axis=2, dtype=np.float64)
        lowest, highest = array.min(axis=2), array.max(axis=2)
    problems = [
        (
            ~np.isfinite(sums),
            "holds a number that is not finite",
            "leave this member out: a model that diverged has no vote.",
        )
    ]
    if task != "regression":
        problems.append(
            (
                lowest < 0,
                "holds a negative probability",
                "pass probabilities, not logits: apply a softmax over the classes."
                if task == "classification"
                else "pass probabilities, not log-odds: apply a sigmoid.",
            )
        )
    if task == "classification":
        problems.append(
            (
                np.abs(sums - 1) > _SUM_TOLERANCE,
                "holds probabilities that do not sum to 1",
                "apply one softmax over the classes (the last axis), and only one.",
            )
        )
    if task == "multilabel":
        problems.append(
            (
                highest > 1,
                "holds a probability above 1",
                "pass probabilities, not log-odds: apply a sigmoid.",
            )
        )
    return next(((bad, what, fix) for bad, what, fix in problems if bad.any()), None)
