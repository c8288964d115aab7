"""From targets as the user spells them to what a network is trained on, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.errors import DataError
from ripieno.recipes import splits
from ripieno.recipes.splits import Label
from ripieno.recipes.tasks import TASKS, TaskName, check_task, plain_array

__all__ = ["Coding", "encode_targets", "output_names", "read_targets", "sigmoid"]


_NO_DOUBLES = frozenset({"mps"})
"""Kinds of devices that have no float64."""
_LARGEST = 1e140
"""Far enough below the largest float that a sum of squares over all rows is one too."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How targets become numbers for a network and its outputs become answers.

    A network is trained on *encoded* targets and returns *outputs*. *Scores* are float64:
    log-probabilities of classes, log-odds of labels, or values in the target's own units.
    *Predictions* are what is stored and read: probabilities, or those values.

    Args:
        task: The task.
        mean: For regression: what is subtracted from each column of targets.
        scale: For regression: what the rest is divided by.
    """

    task: TaskName = "classification"
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    @classmethod
    def fit(cls, y: NDArray[Any], *, task: TaskName, scaled: bool = True) -> Self:
        """Learn means and scales from the targets of the training part.

        Args:
            y: What :func:`read_targets` returned, of the training rows.
            task: The task.
            scaled: Whether regression targets are standardised; else they stay as they are.

        Raises:
            DataError: A column of regression targets is constant.
        """
        if task != "regression":
            return cls(task)
        columns = y.reshape(len(y), -1)
        constant = np.flatnonzero(columns.min(axis=0) == columns.max(axis=0))
        if constant.size:
            raise DataError(
                f"every target of the training part is {columns[0, constant[0]]:g}"
                f"{f' in column {constant[0]}' if columns.shape[1] > 1 else ''}.",
                where="the targets",
                fix="give targets that differ from row to row.",
            )
        if not scaled:
            return cls(task, (0.0,) * columns.shape[1], (1.0,) * columns.shape[1])
        deviations = columns.std(axis=0)
        # Squares of tiny differences are zero.
        scale = np.where(deviations == 0.0, 1.0, deviations)
        return cls(task, tuple(columns.mean(axis=0).tolist()), tuple(scale.tolist()))

    @property
    def stored(self) -> str:
        """Name of the array that holds the predictions of a trial."""
        return TASKS[self.task].stored

    @property
    def is_regression(self) -> bool:
        """Whether answers are numbers."""
        return self.task == "regression"

    def encode(self, y: NDArray[Any], dtype: torch.dtype) -> Tensor:
        """Return what a loss is given.

        Args:
            y: Targets of a part, as a split holds them; left unchanged.
            dtype: Floating-point type of the network.

        Returns:
            int64 classes ``(rows,)``; or 0 and 1 ``(rows, labels)`` or scaled values
            ``(rows, columns)``, both of the dtype.
        """
        if self.task == "classification":
            return torch.from_numpy(np.require(y, requirements=["W"]))
        if self.task == "multilabel":
            return torch.from_numpy(y.astype(np.float64)).to(dtype)
        columns = y.reshape(len(y), -1).astype(np.float64)
        return torch.from_numpy((columns - self.mean) / self.scale).to(dtype)

    def scores(self, outputs: Tensor) -> Tensor:
        """Return scores, float64, out of outputs ``(..., rows, columns)``; the same shape."""
        outputs = (outputs.cpu() if outputs.device.type in _NO_DOUBLES else outputs).double()
        if self.task == "classification":
            # In float64 whatever the network computes in: a log loss must not saturate.
            return torch.log_softmax(outputs, dim=-1)
        if self.task == "multilabel":
            return outputs
        scale, mean = (outputs.new_tensor(numbers) for numbers in (self.scale, self.mean))
        return outputs * scale + mean

    def predictions(self, scores: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        """Return probabilities, float32, or values, float64, out of scores; the same shape."""
        if self.task == "classification":
            return np.exp(scores).astype(np.float32)
        if self.task == "multilabel":
            return sigmoid(scores).astype(np.float32)
        return scores

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {"task": self.task, "mean": list(self.mean), "scale": list(self.scale)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` returned.

        Raises:
            DataError: There is no such task.
        """
        task = check_task(values["task"], where="a stored coding")
        return cls(task, tuple(map(float, values["mean"])), tuple(map(float, values["scale"])))


def sigmoid(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``1 / (1 + exp(-scores))`` without overflow."""
    small = np.exp(-np.abs(scores))
    result: NDArray[np.float64] = np.where(scores >= 0, 1.0, small) / (1.0 + small)
    return result


def read_targets(y: NDArray[np.generic], *, task: TaskName, where: str) -> NDArray[np.generic]:
    """Return targets of one kind, checked.

    Args:
        y: Targets as the user gave them, shape ``(rows,)`` or ``(rows, columns)``.
        task: What they are.
        where: Where they come from.

    Returns:
        Labels ``(rows,)`` of any type for classification; 0 and 1, int64, ``(rows, labels)``
        for several labels; float64 ``(rows,)`` or ``(rows, columns)`` for regression, one
        column alone always as ``(rows,)``.

    Raises:
        DataError: They are of another kind, too large, or missing somewhere.
    """
    if task == "classification":
        return splits.as_labels(y, where)
    numbers = _numbers(plain_array(y), task, where)
    if task == "multilabel":
        columns = numbers.reshape(len(numbers), -1)
        if not np.isin(columns, (0.0, 1.0)).all():
            strange = columns[~np.isin(columns, (0.0, 1.0))][0]
            raise DataError(
                f"the targets hold {strange:g}, and labels are 0 or 1.",
                where=where,
                fix="give one column a label: 1 where the row has it, 0 where it has not.",
            )
        return columns.astype(np.int64)
    largest = np.abs(numbers).max()
    if largest > _LARGEST:
        raise DataError(
            f"the targets reach {largest:g}, and errors of that size have no squares.",
            where=where,
            fix="mend the rows, or give the targets in a larger unit.",
        )
    return numbers[:, 0] if numbers.ndim == 2 and numbers.shape[1] == 1 else numbers


def _numbers(y: NDArray[np.generic], task: TaskName, where: str) -> NDArray[np.float64]:
    if y.dtype.kind not in "biuf" or y.ndim not in {1, 2} or not y.size:
        raise DataError(
            f"targets of type {y.dtype} and shape {y.shape} are no numbers for {task}.",
            where=where,
            fix="give numbers, one a row or one row of columns a row, or leave task= out.",
        )
    numbers = y.astype(np.float64)
    finite: NDArray[np.bool_] = np.isfinite(numbers).reshape(len(numbers), -1)
    splits.refuse_missing(~np.logical_and.reduce(finite, axis=1), where)
    return numbers


def output_names(
    y: NDArray[np.generic], *, task: TaskName, given: Sequence[Label] | None, where: str
) -> tuple[Label, ...]:
    """Return what each output of a network stands for: classes, labels or columns.

    Args:
        y: What :func:`read_targets` returned for all rows.
        task: The task.
        given: The user's names of labels or columns; their numbers where None.
        where: Where the targets come from.

    Raises:
        DataError: There are fewer than two classes, or names that do not fit.
    """
    if task == "classification":
        if given is None:
            return splits.class_names(y, where)
        problem = "target_names are given, and classes are named by the targets themselves"
    else:
        columns = 1 if y.ndim == 1 else y.shape[1]
        names: tuple[Label, ...] = tuple(range(columns) if given is None else given)
        if len(names) == columns and len(set(names)) == columns:
            return names
        problem = f"target_names holds {len(names)} names ({len(set(names))} different ones)"
        problem += f" for {columns} columns"
    raise DataError(
        f"{problem}.",
        where=where,
        fix="give target_names=[…] with one name a column, or leave it out.",
    )


def encode_targets(
    labels: NDArray[np.generic], classes: Sequence[Label], *, task: TaskName, where: str
) -> NDArray[Any]:
    """Return targets as a split holds them.

    Args:
        labels: What :func:`read_targets` returned, of a part.
        classes: What :func:`output_names` returned.
        task: The task.
        where: Where the targets come from.

    Raises:
        DataError: A label is none of the classes, or there are fewer or more columns.
    """
    if task == "classification":
        return splits.encode_labels(labels, classes, where)
    columns = 1 if labels.ndim == 1 else labels.shape[1]
    if columns != len(classes):
        raise DataError(
            f"the targets have {columns} columns, and the training rows {len(classes)}.",
            where=where,
            fix="give every part the same columns of targets.",
        )
    return labels
