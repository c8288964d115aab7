"""Lion.

Source: Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023,
Algorithm 2.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from ripieno.population.optimizers.optimizer import Numbers, Optimizer, Slots, Update

__all__ = ["Lion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lion(Optimizer):
    """``ripieno.recipes.Lion`` for all rows.

    Args:
        uses: See :class:`Optimizer`.
        decoupled_weight_decay: See :class:`Optimizer`.
    """

    defaults: ClassVar = MappingProxyType(
        {"lr": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0}
    )
    counts: ClassVar = False
    decouples: ClassVar = True

    @property
    def slots(self) -> tuple[str, ...]:
        """The momentum."""
        return ("exp_avg",)

    def coefficients(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:  # noqa: ARG002
        """Return the shares of the gradient in the update and in the momentum."""
        return {"lr": hyper["lr"], "update": 1 - hyper["beta1"], "momentum": 1 - hyper["beta2"]}

    def rule(self, p: Tensor, g: Tensor, *, slots: Slots, c: Numbers) -> Update:
        """Step along the sign of the momentum and the gradient."""
        momentum = slots["exp_avg"]
        sign = torch.lerp(momentum, g, c["update"]).sign()
        kept = {"exp_avg": torch.lerp(momentum, g, c["momentum"])}
        return torch.addcmul(p, sign, c["lr"], value=-1), kept
