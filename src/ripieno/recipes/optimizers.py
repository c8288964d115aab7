"""Optimizers out of ``torch.optim``, built from knobs, and a user's own."""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes.knobs import KNOBS, Knobs
from ripieno.recipes.lion import Lion
from ripieno.recipes.rate_free import RATE_FREE, check_installed
from ripieno.recipes.together import Together, hidden_matrices, muon
from ripieno.space import Value

__all__ = [
    "OPTIMIZERS",
    "OptimizerFactory",
    "build_optimizer",
    "decouples",
    "find_optimizer",
    "put_in_mode",
    "state_slots",
]

OptimizerFactory = Callable[..., torch.optim.Optimizer]
"""A class of optimizers, or a function that returns one; see :func:`build_optimizer`."""

_TORCH = "torch.optim."

OPTIMIZERS: Mapping[str, tuple[OptimizerFactory, tuple[str, ...]]] = MappingProxyType(
    {
        "sgd": (torch.optim.SGD, ("momentum", "nesterov")),
        "adam": (torch.optim.Adam, ("betas", "eps")),
        "adamw": (torch.optim.AdamW, ("betas", "eps")),
        "rmsprop": (torch.optim.RMSprop, ("alpha", "eps", "momentum")),
        "adagrad": (torch.optim.Adagrad, ("eps",)),
        "adadelta": (torch.optim.Adadelta, ("rho", "eps")),
        "nadam": (torch.optim.NAdam, ("betas", "eps", "momentum_decay")),
        "radam": (torch.optim.RAdam, ("betas", "eps")),
        "lion": (Lion, ("betas",)),
        "muon": (muon, ("momentum", "betas", "eps")),
    }
)
"""Optimizers by name, and what they take beside the learning rate and the weight decay."""

_OF_ITS_OWN = frozenset({"adamw", "lion", "muon", *RATE_FREE})
"""Optimizers that decouple the weight decay by themselves."""

_SLOTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "sgd": frozenset(),
        "rmsprop": frozenset({"step", "square_avg"}),
        "adagrad": frozenset({"step", "sum"}),
        "adadelta": frozenset({"step", "square_avg", "acc_delta"}),
        "nadam": frozenset({"step", "exp_avg", "exp_avg_sq", "mu_product"}),
        "lion": frozenset({"exp_avg"}),
    }
)
_MOMENTS = frozenset({"step", "exp_avg", "exp_avg_sq"})


def build_optimizer(
    module: nn.Module,
    knobs: Knobs,
    *,
    config: Mapping[str, Value] = MappingProxyType({}),
    own: Mapping[str, OptimizerFactory] = MappingProxyType({}),
    scales: Mapping[str, float] = MappingProxyType({}),
) -> torch.optim.Optimizer:
    """Return the optimizer of every parameter of the module that is trained.

    An optimizer of the recipe's own, and ``torch.optim.NAME``, is called with the list of
    names and parameters and with what its signature names: ``lr``, and whatever the config
    holds (for ``betas``, ``beta1`` or ``beta2``). What the config does not hold keeps the
    default of that signature.

    Args:
        module: The model.
        knobs: Its knobs.
        config: The config, for the hyperparameters of such an optimizer.
        own: The recipe's own optimizers by name.
        scales: Factors of the learning rate by parameter, for those that have one; they
            stand in the optimizer's groups as ``lr_scale``.

    Raises:
        RecipeError: The module has no parameter to train, or there is no such optimizer.
    """
    trained = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    if not trained:
        raise RecipeError(
            f"{type(module).__name__} has no parameter that is trained.",
            where="the model that the factory returned",
            fix="return a module with parameters that require a gradient.",
        )
    groups: dict[float, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in trained:
        groups.setdefault(scales.get(name, 1.0), []).append((name, parameter))
    factory, options = _call(knobs, config, own)
    if any(p.device.type != "cpu" for _, p in trained):
        options.pop("foreach", None)  # many tensors in a call, where calls are what takes the time
    if knobs.optimizer in _FUSED and all(p.dtype in _FUSABLE for _, p in trained):
        # One call instead of a dozen for each parameter: a sixth of a small model's step.
        options["fused"] = True
    if factory is muon:
        options["matrices"] = hidden_matrices(module)
    parts = []
    for scale, members in groups.items():
        parts.append(factory(members, **options))
        for group in parts[-1].param_groups:
            group["lr_scale"] = scale
    return Together(parts) if len(parts) > 1 else parts[0]


def find_optimizer(name: str, own: Mapping[str, OptimizerFactory]) -> OptimizerFactory:
    """Return the optimizer of a name: the recipe's own, or ``torch.optim.NAME``.

    Raises:
        RecipeError: There is none, or it cannot be used here.
    """
    if name in own:
        return own[name]
    if name in OPTIMIZERS:
        return OPTIMIZERS[name][0]
    if name in RATE_FREE:
        check_installed(name)
        return RATE_FREE[name]
    found = getattr(torch.optim, name.removeprefix(_TORCH), None)
    if isinstance(found, type) and issubclass(found, torch.optim.Optimizer):
        if found not in {torch.optim.LBFGS, torch.optim.SparseAdam, torch.optim.Optimizer}:
            return found
        problem = f"{name!r} cannot train here: it needs a closure or sparse gradients."
    else:
        problem = f"there is no optimizer {name!r}."
    raise RecipeError(
        problem,
        where="the training hyperparameter 'optimizer'",
        fix=f"use one of {', '.join([*OPTIMIZERS, *RATE_FREE])}, another class of torch.optim "
        "by its full name, or pass your own: Recipe(optimizers={'mine': MyOptimizer}).",
    )


def put_in_mode(optimizer: torch.optim.Optimizer, *, training: bool) -> None:
    """Have an optimizer that answers with other weights than it trains change them, in place."""
    change = getattr(optimizer, "train" if training else "eval", None)
    if callable(change):
        change()


def decouples(knobs: Knobs) -> bool:
    """Say whether weights shrink beside the update instead of through the gradient."""
    if knobs.decoupled_weight_decay is None:
        return knobs.optimizer in _OF_ITS_OWN
    return knobs.decoupled_weight_decay


def decays_outside(knobs: Knobs) -> bool:
    """Say whether the trainer must decay weights, because the optimizer does it otherwise."""
    if knobs.weight_decay == 0.0 or knobs.decoupled_weight_decay is None:
        return False
    return knobs.decoupled_weight_decay != (knobs.optimizer in _OF_ITS_OWN)


def state_slots(knobs: Knobs) -> frozenset[str]:
    """Return the names of what an optimizer keeps for every parameter, as torch names it.

    Not known are those of muon, which differ from parameter to parameter, and those of a
    user's own optimizer; see :func:`ripieno.recipes.slots.kept_slots`.
    """
    momentum = {"momentum_buffer"} if knobs.momentum > 0.0 else set()
    slots = _SLOTS.get(knobs.optimizer, _MOMENTS)
    return slots | momentum if knobs.optimizer in {"sgd", "rmsprop"} else slots


def _call(
    knobs: Knobs, config: Mapping[str, Value], own: Mapping[str, OptimizerFactory]
) -> tuple[OptimizerFactory, dict[str, Any]]:
    """Return what makes the optimizer, and the options that it is given."""
    factory = find_optimizer(knobs.optimizer, own)
    decay = 0.0 if decays_outside(knobs) else knobs.weight_decay
    if knobs.optimizer in OPTIMIZERS and knobs.optimizer not in own:
        options = {name: _option(name, knobs) for name in OPTIMIZERS[knobs.optimizer][1]}
        options |= {"lr": knobs.lr, "weight_decay": decay}
        if knobs.optimizer not in {"lion", "muon"}:
            options["foreach"] = False
        return factory, options
    given = set(config) | ({"betas"} if {"beta1", "beta2"} & set(config) else set())
    takes = inspect.signature(factory).parameters
    options = {n: _option(n, knobs) if n in _KNOWN else config[n] for n in takes if n in given}
    if "lr" in takes:
        options["lr"] = knobs.lr
    if "weight_decay" in options:
        options["weight_decay"] = decay
    if "foreach" in takes:
        options["foreach"] = False
    return factory, options


_KNOWN = frozenset({*KNOBS, "betas"})
_FUSED = frozenset({"adam", "adamw"})
_FUSABLE = frozenset({torch.float32, torch.float64})


def _option(name: str, knobs: Knobs) -> object:
    if name == "betas":
        return (knobs.beta1, knobs.beta2)
    if name == "nesterov":
        # torch refuses Nesterov without momentum, where the two are the same.
        return knobs.nesterov and knobs.momentum > 0.0
    return getattr(knobs, name)
