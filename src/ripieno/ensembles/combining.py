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
from ripieno.recipes import Coding, Preprocess, TaskName

__all__ = ["answers", "checked_codings", "combine", "true_targets", "units_of"]


def combine(
    outputs: Tensor,
    log_weights: Tensor,
    *,
    task: TaskName,
    units: tuple[Tensor | None, Tensor | None] = (None, None),
) -> Tensor:
    """Return the outputs of one model that answers as the weighted mean of several does.

    Args:
        outputs: What the members give, shape ``(members, batch, outputs)``.
        log_weights: Logarithms of their shares, shape ``(members, 1, 1)``.
        task: The task.
        units: For a regression: what :func:`units_of` returned.

    Returns:
        Shape ``(batch, outputs)``: log-probabilities of classes, log-odds of labels, or values
        in the target's own units.
    """
    weights = log_weights.to(outputs.dtype)
    if task == "classification":
        return torch.logsumexp(F.log_softmax(outputs, dim=-1) + weights, dim=0)
    if task == "multilabel":
        there = torch.logsumexp(F.logsigmoid(outputs) + weights, dim=0)
        absent = torch.logsumexp(F.logsigmoid(-outputs) + weights, dim=0)
        return there - absent
    scale, shift = units
    assert scale is not None  # noqa: S101 - every regression has units
    assert shift is not None  # noqa: S101
    values = outputs * scale.to(outputs.dtype) + shift.to(outputs.dtype)
    return (values * weights.exp()).sum(dim=0)


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


def answers(
    outputs: Tensor, weights: Sequence[float], log_weights: Tensor, *, codings: Sequence[Coding]
) -> NDArray[np.floating[Any]]:
    """Return the weighted mean of probabilities, float32, or of values, float64.

    Args:
        outputs: What the members give, shape ``(members, batch, outputs)``.
        weights: Their shares.
        log_weights: The logarithms of those, shape ``(members, 1, 1)``.
        codings: The coding of each member.
    """
    coding = codings[0]
    if coding.task == "regression":
        # In float64: a mean of large values with small differences keeps them.
        values = [c.scores(out).cpu().numpy() for c, out in zip(codings, outputs, strict=True)]
        mean: NDArray[np.float64] = np.tensordot(np.array(weights), np.stack(values), axes=1)
        return mean
    combined = combine(outputs, log_weights, task=coding.task)
    if coding.task == "classification":
        found: NDArray[np.float32] = combined.exp().float().cpu().numpy()
        return found
    return coding.predictions(coding.scores(combined).cpu().numpy())


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
