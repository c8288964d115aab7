"""Optimizers that need no schedule, or no learning rate, from packages of their own.

Both keep numbers for all parameters together, where torch's keep everything for each parameter.
Here these numbers stand beside each parameter's state as well, so that a stored state holds all
that a training goes on from.

Sources: Defazio, Yang et al., "The road less scheduled", NeurIPS 2024 (``schedulefree``);
Mishchenko and Defazio, "Prodigy: An expeditiously adaptive parameter-free learner", ICML 2024
(``prodigyopt``).
"""

import importlib
import math
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import torch

from ripieno.errors import RecipeError

__all__ = ["RATE_FREE", "adamw_schedule_free", "check_installed", "prodigy"]

_PACKAGES: Mapping[str, tuple[str, str, tuple[str, ...]]] = MappingProxyType(
    {
        "adamw_schedule_free": (
            "schedulefree",
            "AdamWScheduleFree",
            ("k", "weight_sum", "lr_max", "scheduled_lr"),
        ),
        "prodigy": ("prodigyopt", "Prodigy", ("k", "d", "d_max", "d_numerator")),
    }
)
"""By name: the package, the class, and what it keeps for all parameters together."""


def adamw_schedule_free(
    parameters: Any,
    *,
    lr: float = 0.0025,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    warmup_steps: int = 0,
    r: float = 0.0,
    weight_lr_power: float = 2.0,
) -> torch.optim.Optimizer:
    """Return ``schedulefree.AdamWScheduleFree``, which averages weights instead of a schedule.

    The weights that answer, and that are measured and stored, are the averaged ones. Statistics
    of batch norms are those of the weights that are trained.

    Args:
        parameters: As ``torch.optim`` takes them.
        lr: Learning rate; a constant schedule is meant.
        betas: Interpolation between the average and the last iterate, and decay of the squares.
        eps: Added to the denominator.
        weight_decay: At the weights that are trained.
        warmup_steps: Steps in which the learning rate rises.
        r: Power of the step in the average.
        weight_lr_power: Power of the learning rate in the average.

    Raises:
        RecipeError: The package is not installed.
    """
    options = {"warmup_steps": int(warmup_steps), "r": r, "weight_lr_power": weight_lr_power}
    return _kind("adamw_schedule_free")(
        parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, **options
    )


def prodigy(
    parameters: Any,
    *,
    lr: float = 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    use_bias_correction: bool = False,
    safeguard_warmup: bool = False,
    d0: float = 1e-6,
    d_coef: float = 1.0,
    growth_rate: float = math.inf,
) -> torch.optim.Optimizer:
    """Return ``prodigyopt.Prodigy``, which finds the learning rate as it goes.

    Args:
        parameters: As ``torch.optim`` takes them.
        lr: Factor of the learning rate that it finds; 1 is meant.
        betas: Decay of the mean gradient and of its square.
        eps: Added to the denominator.
        weight_decay: Decoupled.
        use_bias_correction: Whether the first steps are corrected as Adam's are.
        safeguard_warmup: Whether a warm-up of the schedule is left out of the estimate.
        d0: First estimate of the distance to the solution.
        d_coef: Factor of that estimate.
        growth_rate: By what the estimate grows in a step at most.

    Raises:
        RecipeError: The package is not installed.
    """
    options = {
        "use_bias_correction": use_bias_correction, "safeguard_warmup": safeguard_warmup,
        "d0": d0, "d_coef": d_coef, "growth_rate": growth_rate,
    }  # fmt: skip
    return _kind("prodigy")(
        parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, **options
    )


RATE_FREE: Mapping[str, Callable[..., torch.optim.Optimizer]] = MappingProxyType(
    {"adamw_schedule_free": adamw_schedule_free, "prodigy": prodigy}
)
"""These optimizers by name."""


def check_installed(name: str) -> None:
    """Refuse an optimizer of :data:`RATE_FREE` whose package is not installed.

    Raises:
        RecipeError: It is not.
    """
    package = _PACKAGES[name][0]
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise RecipeError(
            f"the optimizer {name!r} needs the package {package!r}, which is not installed.",
            where="the training hyperparameter 'optimizer'",
            fix="pip install 'ripieno[rate-free]'",
        ) from error


@cache
def _kind(name: str) -> Callable[..., torch.optim.Optimizer]:
    check_installed(name)
    package, kind, kept = _PACKAGES[name]
    base: Any = getattr(importlib.import_module(package), kind)

    def step(self: Any, closure: Any = None) -> Any:
        """Take one step from what is kept, and keep what it leaves."""
        for group in self.param_groups:
            held = [self.state[p] for p in group["params"] if kept[0] in self.state.get(p, {})]
            group.update({entry: held[0][entry] for entry in kept} if held else {})
        loss = base.step(self, closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                if self.state.get(parameter):
                    self.state[parameter].update({entry: group[entry] for entry in kept})
        return loss

    made: Callable[..., torch.optim.Optimizer] = type(kind, (base,), {"step": step})
    return made
