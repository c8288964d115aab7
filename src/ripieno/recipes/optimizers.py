"""Optimizers out of ``torch.optim``, built from knobs."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes.knobs import Knobs

__all__ = ["OPTIMIZERS", "build_optimizer", "state_slots"]

_Parameters = list[tuple[str, nn.Parameter]]


def _sgd(parameters: _Parameters, knobs: Knobs) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters,
        lr=knobs.lr,
        momentum=knobs.momentum,
        # torch refuses Nesterov without momentum, where the two are the same.
        nesterov=knobs.nesterov and knobs.momentum > 0.0,
        weight_decay=knobs.weight_decay,
        foreach=False,
    )


def _adam(parameters: _Parameters, knobs: Knobs) -> torch.optim.Optimizer:
    return torch.optim.Adam(
        parameters,
        lr=knobs.lr,
        betas=(knobs.beta1, knobs.beta2),
        eps=knobs.eps,
        weight_decay=knobs.weight_decay,
        foreach=False,
    )


def _adamw(parameters: _Parameters, knobs: Knobs) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters,
        lr=knobs.lr,
        betas=(knobs.beta1, knobs.beta2),
        eps=knobs.eps,
        weight_decay=knobs.weight_decay,
        foreach=False,
    )


def _rmsprop(parameters: _Parameters, knobs: Knobs) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(
        parameters,
        lr=knobs.lr,
        alpha=knobs.alpha,
        eps=knobs.eps,
        momentum=knobs.momentum,
        weight_decay=knobs.weight_decay,
        foreach=False,
    )


OPTIMIZERS: Mapping[str, Callable[[_Parameters, Knobs], torch.optim.Optimizer]] = MappingProxyType(
    {"sgd": _sgd, "adam": _adam, "adamw": _adamw, "rmsprop": _rmsprop}
)
"""Optimizers by name."""


def build_optimizer(module: nn.Module, knobs: Knobs) -> torch.optim.Optimizer:
    """Return the optimizer of every parameter of the module that is trained.

    Raises:
        RecipeError: The module has no parameter to train.
    """
    trained = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    if not trained:
        raise RecipeError(
            f"{type(module).__name__} has no parameter that is trained.",
            where="the model that the factory returned",
            fix="return a module with parameters that require a gradient.",
        )
    return OPTIMIZERS[knobs.optimizer](trained, knobs)


def state_slots(knobs: Knobs) -> frozenset[str]:
    """Return the names of what the optimizer keeps for every parameter, as torch names it."""
    momentum = {"momentum_buffer"} if knobs.momentum > 0.0 else set()
    match knobs.optimizer:
        case "sgd":
            return frozenset(momentum)
        case "rmsprop":
            return frozenset({"step", "square_avg"} | momentum)
    return frozenset({"step", "exp_avg", "exp_avg_sq"})
