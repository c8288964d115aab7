"""Losses of all rows at once, example by example, as :mod:`ripieno.recipes` computes them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

__all__ = ["STACKED_LOSSES", "cross_entropy"]


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
    {"cross_entropy": cross_entropy}
)
"""Losses by the names of :data:`ripieno.recipes.LOSSES`; any other runs row by row."""
