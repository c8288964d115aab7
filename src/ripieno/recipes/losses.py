"""Losses, one number an example, and how they become the loss of a batch.

Nothing here adds up over a batch until :func:`reduce`, so that a stack of models can apply
the same functions row by row.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["LOSSES", "balanced_weights", "cross_entropy", "reduce"]


def cross_entropy(
    logits: Tensor,
    y: Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the loss and the weight of every example.

    Args:
        logits: Shape ``(batch, classes)``.
        y: int64 classes, shape ``(batch,)``.
        label_smoothing: Share of the target that goes to all classes alike.
        class_weights: Shape ``(classes,)``; None weighs all classes alike.

    Returns:
        Weighted losses and weights, both of shape ``(batch,)`` and the dtype of the logits.

    Source: Szegedy et al., "Rethinking the Inception architecture", CVPR 2016 (smoothing).
    """
    losses = F.cross_entropy(
        logits, y, class_weights, reduction="none", label_smoothing=label_smoothing
    )
    weights = torch.ones_like(losses) if class_weights is None else class_weights[y]
    return losses, weights


def reduce(losses: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean over the last axis, ``batch``, as ``reduction="mean"`` does."""
    return losses.sum(-1) / weights.sum(-1)


def balanced_weights(y: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return ``rows / (classes * rows of the class)``, shape ``(classes,)``.

    A class without rows gets weight 0: no example ever asks for it.
    """
    counts = np.bincount(y, minlength=classes)
    weights = len(y) / (classes * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0.0)


LOSSES: Mapping[str, Callable[..., tuple[Tensor, Tensor]]] = MappingProxyType(
    {"cross_entropy": cross_entropy}
)
"""Losses by name: functions of logits and classes to losses and weights of examples."""
