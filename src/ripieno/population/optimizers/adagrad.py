"""Adagrad.

Source: Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and
stochastic optimization", JMLR 2011.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from ripieno.population.optimizers.optimizer import Numbers, Optimizer, Slots, Update

__all__ = ["Adagrad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adagrad(Optimizer):
    """``torch.optim.Adagrad`` for all rows.

    Args:
        uses: See :class:`Optimizer`.
    """

    defaults: ClassVar = MappingProxyType(
        {
            "lr": 1e-2,
            "lr_decay": 0.0,
            "eps": 1e-10,
            "weight_decay": 0.0,
            "initial_accumulator_value": 0.0,
        }
    )

    @property
    def slots(self) -> tuple[str, ...]:
        """The sum of the squared gradients."""
        return ("sum",)

    def first(self, hyper: Numbers) -> Tensor:
        """Return what the sum starts from."""
        return self.complete(hyper)["initial_accumulator_value"]

    def coefficients(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:  # noqa: ARG002
        """Return the hyperparameters, and the learning rate of this step."""
        return {**hyper, "rate": hyper["lr"] / (1 + (step - 1) * hyper["lr_decay"])}

    def rule(self, p: Tensor, g: Tensor, *, slots: Slots, c: Numbers) -> Update:
        """Step along the gradient over the root of the sum of all squared ones."""
        total = torch.addcmul(slots["sum"], g, g)
        return p - c["rate"] * g / (total.sqrt() + c["eps"]), {"sum": total}
