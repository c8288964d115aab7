"""How the outputs of members become scores, and scores become answers, task by task."""

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
from ripieno.recipes import Coding, Preprocess, TaskName

__all__ = ["as_answers", "checked_codings", "member_scores", "true_targets", "units_of"]


def member_scores(
    outputs: Tensor, *, task: TaskName, units: tuple[Tensor | None, Tensor | None] = (None, None)
) -> Tensor:
    """Return what a rule reads.

    Args:
        outputs: What the members give, shape ``(members, batch, outputs)``.
        task: The task.
        units: For a regression: what :func:`units_of` returned.

    Returns:
        Same shape: log-probabilities of classes, log-odds of labels, or values in the target's
        own units.
    """
    if task == "classification":
        return F.log_softmax(outputs, dim=-1)
    if task == "multilabel":
        return outputs
    scale, shift = units
    assert scale is not None  # noqa: S101 - every regression has units
    assert shift is not None  # noqa: S101
    return outputs * scale.to(outputs.dtype) + shift.to(outputs.dtype)


def units_of(codings: Sequence[Coding]) -> dict[str, Tensor | None]:
    """Return ``scale`` and ``shift`` of each member of a regression, ``(members, 1, columns)``."""
    if codings[0].task != "regression":
        return {"scale": None, "shift": None}
    return {
        "scale": torch.tensor([coding.scale for coding in codings]).unsqueeze(1),
        "shift": torch.tensor([coding.mean for coding in codings]).unsqueeze(1),
    }


def checked_codings(
    given: Coding | Sequence[Coding] | None, preprocesses: Sequence[Preprocess]
) -> tuple[Coding, ...]:
    """Return one coding of all members, or one a preprocessing.

    Raises:
        EnsembleError: There is another number of them, or they are of several tasks.
    """
    if given is None:
        return (Coding(),)
    codings = (given,) if isinstance(given, Coding) else tuple(given)
    if len(codings) in {1, len(preprocesses)} and len({coding.task for coding in codings}) == 1:
        return codings
    raise EnsembleError(
        f"{len(codings)} codings of {len({coding.task for coding in codings})} tasks are given "
        f"to members of {len(preprocesses)} preprocessings.",
        where="Ensemble(…, coding=…)",
        fix="give one coding of all members, or one for each preprocessing.",
    )


def as_answers(scores: Tensor, task: TaskName) -> NDArray[np.floating[Any]]:
    """Return probabilities, float32, or values, float64, out of scores of the same shape."""
    if task == "classification":
        found: NDArray[np.float32] = scores.exp().float().cpu().numpy()
        return found
    coding = Coding(task)
    return coding.predictions(scores.double().cpu().numpy())


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
