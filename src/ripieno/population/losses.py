"""Losses of all rows at once, example by example, as :mod:`ripieno.recipes` computes them."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.errors import RecipeError
from ripieno.recipes import LOSSES, LossFunction, find_loss

__all__ = ["STACKED_LOSSES", "check_outputs", "cross_entropy", "stacked_loss", "stacked_options"]


def cross_entropy(
    logits: Tensor,
    y: Tensor,
    *,
    label_smoothing: Tensor | None = None,
    class_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the weighted loss and the weight of every example of every row.

    Args:
        logits: Shape ``(members, batch, classes)``.
        y: int64 classes, shape ``(members, batch)``.
        label_smoothing: Share of the target that goes to all classes alike, ``(members,)``.
        class_weights: Shape ``(members, classes)``; None weighs all classes alike.

    Returns:
        Losses and weights, both of shape ``(members, batch)``.

    Source: Szegedy et al., "Rethinking the Inception architecture", CVPR 2016 (smoothing).
    """
    # Classes before the batch, which is how a linear leaf leaves its output in memory.
    logs = torch.log_softmax(logits.mT, dim=1)
    losses = -logs.gather(1, y.unsqueeze(1)).squeeze(1)
    weights = torch.ones_like(losses)
    if class_weights is not None:
        scale = class_weights.to(logits.dtype)
        weights = scale.gather(-1, y)
        losses = losses * weights
        logs = logs * scale.unsqueeze(2)
    if label_smoothing is not None:
        share = label_smoothing.to(logits.dtype).unsqueeze(-1)
        losses = (1 - share) * losses - share * logs.mean(1)
    return losses, weights


STACKED_LOSSES: Mapping[str, Callable[..., tuple[Tensor, Tensor]]] = MappingProxyType(
    {**LOSSES, "cross_entropy": cross_entropy}
)
"""Losses by the names of :data:`ripieno.recipes.LOSSES`, of outputs with a member axis."""


def stacked_loss(loss: str | LossFunction) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return a loss of all rows; a user's own function is run for each row by vmap."""
    if isinstance(loss, str):
        return STACKED_LOSSES[loss]
    return torch.vmap(find_loss(loss).function)


def stacked_options(rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Return what the rows' losses read, float64, ``(members,)`` or ``(members, outputs)``.

    Weights and label smoothing that no row uses are left out: they would cost arithmetic.

    Args:
        rows: For each row its options, as ``loss_options`` returns them, all of one loss.
    """
    stacked: dict[str, Tensor] = {}
    for name in sorted({name for row in rows for name in row}):
        found = [row.get(name) for row in rows]
        arrays: list[NDArray[np.float64]] = [v for v in found if isinstance(v, np.ndarray)]
        if arrays:
            plain = np.ones_like(arrays[0])
            stacked[name] = torch.from_numpy(np.stack([plain if v is None else v for v in found]))
        elif name != "label_smoothing" or any(found):
            stacked[name] = torch.tensor(found, dtype=torch.float64)
    return stacked


def check_outputs(outputs: Tensor, y: Tensor) -> None:
    """Refuse outputs that would only be broadcast against labels or values.

    Args:
        outputs: Shape ``(..., batch, outputs)``.
        y: Targets; classes pass, which a loss looks up.

    Raises:
        RecipeError: The shapes differ.
    """
    if y.is_floating_point() and outputs.shape != y.shape:
        raise RecipeError(
            f"the model returned outputs of shape {tuple(outputs.shape)} for targets of shape "
            f"{tuple(y.shape)}.",
            where="the forward of a stack",
            fix="return one row an example, with an output for each label or column.",
        )
