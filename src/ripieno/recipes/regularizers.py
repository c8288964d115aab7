"""What a step adds to the loss, and what it does to the gradient."""

import torch
from torch import Tensor, nn

from ripieno.recipes.knobs import Knobs

__all__ = ["clip_gradient", "penalty"]


def penalty(module: nn.Module, knobs: Knobs) -> Tensor | None:
    """Return ``l1`` times the sum of absolute weights; None where there is no penalty.

    Weights are the trained parameters of two or more axes: shrinking biases and the scales
    of norms makes no connection sparse.
    """
    if knobs.l1 == 0.0:
        return None
    weights = [p for p in module.parameters() if p.requires_grad and p.dim() > 1]
    if not weights:
        return None
    return knobs.l1 * torch.stack([weight.abs().sum() for weight in weights]).sum()


def clip_gradient(module: nn.Module, knobs: Knobs) -> None:
    """Scale the gradient down to the norm ``gradient_clip`` where it is longer."""
    if knobs.gradient_clip > 0.0:
        nn.utils.clip_grad_norm_(module.parameters(), knobs.gradient_clip, foreach=False)
