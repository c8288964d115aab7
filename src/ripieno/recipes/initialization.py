"""First weights other than those of the user's constructor, for any module.

Known layers are linear ones and convolutions, transposed ones included. Each is drawn anew
with the gain of its activation, and its bias is set to zero; everything else keeps what its
constructor gave it. Frozen parameters, which may be someone's trained weights, and
parametrized ones (weight norm and the like) are left alone too.

The activation of a layer is the module of one that comes next in the order in which modules
were registered, before another known layer; without one the gain is 1, as for the last layer.
A model without any such module, whose ``forward`` calls functions, has the gain of its config's
``activation``, or else of relu, in all known layers but the last.

Sources: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
networks", AISTATS 2010 (``xavier``); He, Zhang, Ren and Sun, "Delving deep into rectifiers",
ICCV 2015 (``kaiming``); Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear
dynamics of learning in deep linear neural networks", ICLR 2014 (``orthogonal``).
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from ripieno.recipes.layers import ACTIVATIONS

__all__ = ["activation_gain", "initialize"]

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_KNOWN = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)

_GAINS: Mapping[type[nn.Module], float] = MappingProxyType(
    {
        nn.ReLU: math.sqrt(2.0),
        nn.Sigmoid: 1.0,
        nn.Tanh: 5.0 / 3.0,
        nn.SELU: 0.75,
        # torch lists none for these: one over the root of the mean square of what they make
        # of a standard normal number, which gives the square root of 2 for relu.
        nn.ELU: 1.2452,
        nn.GELU: 1.5335,
        nn.SiLU: 1.6765,
    }
)
"""As ``torch.nn.init.calculate_gain``, where that has one."""


def activation_gain(module: nn.Module) -> float | None:
    """Return by how much the weights before an activation are scaled; None for other modules.

    The slope of a leaky or parametric ReLU counts as it stands: ``sqrt(2 / (1 + slope**2))``.
    """
    if isinstance(module, nn.LeakyReLU):
        return math.sqrt(2.0 / (1.0 + module.negative_slope**2))
    if isinstance(module, nn.PReLU):
        slope = float(module.weight.detach().square().mean())
        return math.sqrt(2.0 / (1.0 + slope))
    return next((gain for kind, gain in _GAINS.items() if isinstance(module, kind)), None)


def initialize(
    module: nn.Module,
    name: str,
    *,
    gain: float = 1.0,
    activation: object = None,
    generator: torch.Generator,
) -> None:
    """Draw the first weights of all known layers anew, in place.

    Args:
        module: Any module whose parameters exist.
        name: A value of the knob ``init``; ``"torch"`` leaves everything as it is.
        gain: Factor of the weights besides the gain of their activation.
        activation: The config's ``activation``, for a model without modules of one.
        generator: What is drawn from.
    """
    if name == "torch":
        return
    done: set[int] = set()
    with torch.no_grad():
        for layer, own in _gains(module, activation):
            # A tied weight is drawn once, for the first layer that has it.
            if layer.weight.requires_grad and id(layer.weight) not in done:
                done.add(id(layer.weight))
                _draw(layer, name, gain=gain * own, generator=generator)
                if layer.bias is not None and layer.bias.requires_grad:
                    layer.bias.zero_()


def _gains(module: nn.Module, activation: object) -> list[tuple[Any, float]]:
    """Return the known layers in order, each with the gain of what follows it."""
    found: list[tuple[Any, float]] = []
    has_activations = False
    for part in module.modules():
        own = activation_gain(part)
        if own is not None:
            has_activations = True
            if found and found[-1][1] == 0.0:
                found[-1] = (found[-1][0], own)
        elif isinstance(part, _KNOWN) and not is_parametrized(part):
            found.append((part, 0.0))
    assumed = 1.0
    if not has_activations:
        assumed = activation_gain(ACTIVATIONS.get(str(activation), nn.ReLU)()) or 1.0
    last = len(found) - 1
    return [(p, g or (1.0 if i == last else assumed)) for i, (p, g) in enumerate(found)]


def _draw(layer: Any, name: str, *, gain: float, generator: torch.Generator) -> None:
    weight = layer.weight
    if name == "orthogonal":
        nn.init.orthogonal_(weight, gain, generator=generator)
        return
    pixels = math.prod(weight.shape[2:])
    fan_out, fan_in = weight.shape[0] * pixels, weight.shape[1] * pixels
    if isinstance(layer, _TRANSPOSED):
        fan_in, fan_out = fan_out, fan_in
    # Eq. (10) of He et al., for any gain, and eq. (12) of Glorot and Bengio.
    fan = fan_in if name.startswith("kaiming") else (fan_in + fan_out) / 2
    std = gain / math.sqrt(fan)
    if name.endswith("uniform"):
        bound = math.sqrt(3.0) * std
        nn.init.uniform_(weight, -bound, bound, generator=generator)
    else:
        nn.init.normal_(weight, 0.0, std, generator=generator)
