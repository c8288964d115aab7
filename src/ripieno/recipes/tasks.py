"""What kind of answer is wanted: one class, several labels, or numbers."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError

__all__ = ["TASKS", "Task", "TaskName", "check_task", "decide_task", "plain_array"]

TaskName = Literal["classification", "multilabel", "regression"]

_MOST_WHOLE_FLOATS = 20


@dataclass(frozen=True, slots=True)
class Task:
    """What a task decides wherever nothing else is said.

    Args:
        loss: Name of the loss that is trained.
        metrics: Names of what is measured after every epoch; the first one is what the
            search is after, what an ensemble is selected by, and what its gain is given in.
            Less of it is better.
        stored: Name of the array that holds the predictions of a trial.
    """

    loss: str
    metrics: tuple[str, ...]
    stored: Literal["probabilities", "values"]

    @property
    def primary(self) -> str:
        """The metric that stands for all."""
        return self.metrics[0]


TASKS: Mapping[TaskName, Task] = MappingProxyType(
    {
        "classification": Task("cross_entropy", ("log_loss", "accuracy"), "probabilities"),
        "multilabel": Task("binary_cross_entropy", ("log_loss", "f1_macro"), "probabilities"),
        "regression": Task("mse", ("rmse", "mae", "r2"), "values"),
    }
)
"""Every task by name."""


def check_task(name: str, *, where: str) -> TaskName:
    """Return the name of a task.

    Raises:
        DataError: There is no such task.
    """
    for task in get_args(TaskName):
        if task == name:
            return task  # type: ignore[no-any-return]
    close = difflib.get_close_matches(name, TASKS, n=1)
    raise DataError(
        f"there is no task {name!r}.",
        where=where,
        fix=f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(TASKS)}.",
    )


def decide_task(y: NDArray[np.generic], *, where: str) -> TaskName:
    """Read the task off the targets.

    Strings, booleans and whole numbers are classes. Floats are measurements, unless all of
    them are whole and there are at most 20 different ones: so a table spells classes when
    some are missing, or when it went through floats. Two or more columns of 0 and 1 are
    labels, of which a row may have several; two or more columns of other numbers are
    measurements.

    Args:
        y: Targets as the user gave them, shape ``(rows,)`` or ``(rows, columns)``.
        where: Where they come from.

    Raises:
        DataError: There are two or more columns with exactly one 1 in each row, which may be
            one class written as many columns.
    """
    y = plain_array(y)
    if y.ndim == 2 and y.shape[1] > 1:
        return _of_columns(y, where)
    if y.dtype.kind != "f":
        return "classification"
    values = np.unique(y[np.isfinite(y)])
    is_whole = bool((values == np.floor(values)).all())
    return "classification" if is_whole and len(values) <= _MOST_WHOLE_FLOATS else "regression"


def plain_array(y: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return an array of Python numbers as one of floats or integers; others as they are.

    Raises:
        DataError: A whole number has more digits than any array can hold.
    """
    if y.dtype.kind != "O":
        return y
    kinds = {type(value) for value in y.ravel().tolist()}
    numbers = kinds - {type(None)} <= {int, float} and bool(kinds & {int, float})
    try:
        return y.astype(np.float64 if kinds != {int} else np.int64) if numbers else y
    except OverflowError as error:
        largest = max((v for v in y.ravel().tolist() if isinstance(v, int)), key=abs)
        raise DataError(
            f"the target {str(largest)[:20]}… is too large a number.",
            where="the targets",
            fix="name a target of smaller numbers, or write long ones as text if they are names.",
        ) from error


def _of_columns(y: NDArray[np.generic], where: str) -> TaskName:
    if y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all():
        return "regression"
    if (y.sum(axis=1) == 1).all():
        raise DataError(
            f"the targets of shape {y.shape} have exactly one 1 in each row.",
            where=where,
            fix="pass y.argmax(1) if a row has one class, or say task='multilabel' if it may "
            "have several.",
        )
    return "multilabel"
