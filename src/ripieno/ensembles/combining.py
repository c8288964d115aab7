"""How the outputs of several models become one answer, task by task."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ripieno.ensembles.checks import checked_targets
from ripieno.ensembles.stored import Label
from ripieno.errors import EnsembleError
from ripieno.recipes import Targets, TaskName

__all__ = ["answers", "combine", "true_targets"]


def combine(outputs: Tensor, log_weights: Tensor, *, task: TaskName) -> Tensor:
    """Return the outputs of one model that answers as the weighted mean of several does.

    Args:
        outputs: What the members give, shape ``(members, batch, outputs)``.
        log_weights: Logarithms of their shares, shape ``(members, 1, 1)``.
        task: The task.

    Returns:
        Shape ``(batch, outputs)``: log-probabilities of classes, log-odds of labels, or values.
    """
    weights = log_weights.to(outputs.dtype)
    if task == "classification":
        return torch.logsumexp(F.log_softmax(outputs, dim=-1) + weights, dim=0)
    if task == "multilabel":
        there = torch.logsumexp(F.logsigmoid(outputs) + weights, dim=0)
        absent = torch.logsumexp(F.logsigmoid(-outputs) + weights, dim=0)
        return there - absent
    return (outputs * weights.exp()).sum(dim=0)


def answers(outputs: Tensor, targets: Targets) -> NDArray[Any]:
    """Return probabilities or values out of what :func:`combine` returned."""
    if targets.task == "classification":
        return outputs.exp().float().cpu().numpy()
    return targets.predictions(targets.scores(outputs).cpu().numpy())


def true_targets(y: ArrayLike, *, task: TaskName, classes: Sequence[Label]) -> NDArray[Any]:
    """Return targets as a split holds them, out of what the user calls them.

    Raises:
        EnsembleError: One is not among the classes, or they have another shape.
    """
    given = np.asarray(y)
    if task != "classification":
        rows = given.shape[0] if given.ndim else 0
        found = checked_targets(given, task=task, rows=rows, outputs=len(classes))
        return found[:, 0] if task == "regression" and len(classes) == 1 else found
    numbers = {name: number for number, name in enumerate(classes)}
    names, places = np.unique(given, return_inverse=True)
    for name in names.tolist():
        if name not in numbers:
            raise EnsembleError(
                f"{name!r} is not a class of this ensemble.",
                where=f"classes {tuple(classes[:8])!r}{' …' if len(numbers) > 8 else ''}",
                fix="pass the targets as the training data named them.",
            )
    return np.array([numbers[name] for name in names.tolist()], dtype=np.int64)[places]
