"""What a step adds to the loss, and what it does to the gradient and to the weights."""

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from ripieno.recipes.knobs import Knobs
from ripieno.recipes.optimizers import decays_outside, decouples

__all__ = ["clip_gradient", "decay_weights", "limit_norms", "penalty", "unit_axes"]


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
    """Cut the gradient's values to ``gradient_clip_value``, then its norm to ``gradient_clip``."""
    if knobs.gradient_clip_value > 0.0:
        nn.utils.clip_grad_value_(module.parameters(), knobs.gradient_clip_value, foreach=False)
    if knobs.gradient_clip > 0.0:
        nn.utils.clip_grad_norm_(module.parameters(), knobs.gradient_clip, foreach=False)


@torch.no_grad()
def decay_weights(optimizer: torch.optim.Optimizer, knobs: Knobs) -> None:
    """Decay weights as ``decoupled_weight_decay`` says, where the optimizer does it otherwise.

    Call it between the backward pass and the optimizer's step.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """
    if not decays_outside(knobs):
        return
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is None:
                continue
            if decouples(knobs):
                p.mul_(1 - group["lr"] * knobs.weight_decay)
            else:
                p.grad.add_(p, alpha=knobs.weight_decay)


@torch.no_grad()
def limit_norms(module: nn.Module, knobs: Knobs) -> None:
    """Shrink the incoming weights of each unit to the norm ``max_norm``, as ``torch.renorm``.

    Call it after the optimizer's step.

    Source: Srivastava et al., "Dropout: A simple way to prevent neural networks from
    overfitting", JMLR 2014, section 5.1.
    """
    if knobs.max_norm == 0.0:
        return
    for name, axis in unit_axes(module).items():
        weight = module.get_parameter(name)
        weight.copy_(torch.renorm(weight, 2, axis, knobs.max_norm))


def unit_axes(module: nn.Module) -> dict[str, int]:
    """Return the axis that counts the units, for each trained weight that leads into units.

    Weights are parameters of two or more axes, the first of which counts the units, but for
    transposed convolutions, where it is the second one; those with groups are left out.
    """
    axes = {n: 0 for n, p in module.named_parameters() if p.requires_grad and p.ndim > 1}
    for path, layer in module.named_modules():
        name = f"{path}.weight" if path else "weight"
        if isinstance(layer, _ConvTransposeNd) and name in axes:
            axes[name] = 1
            if layer.groups > 1:
                del axes[name]
    return axes
