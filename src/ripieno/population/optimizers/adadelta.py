"""Adadelta.

Source: Zeiler, "ADADELTA: An adaptive learning rate method", arXiv:1212.5701, 2012.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from ripieno.population.optimizers.optimizer import Numbers, Optimizer, Slots, Update

__all__ = ["Adadelta"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adadelta(Optimizer):
    """``torch.optim.Adadelta`` for all rows.

    Args:
        uses: See :class:`Optimizer`.
        decoupled_weight_decay: See :class:`Optimizer`.
    """

    defaults: ClassVar = MappingProxyType({"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0})

    @property
    def slots(self) -> tuple[str, ...]:
        """The mean squares of the gradients and of the updates."""
        return ("square_avg", "acc_delta")

    def coefficients(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:  # noqa: ARG002
        """Return the hyperparameters, and the share of what is new in a mean."""
        return {**hyper, "share": 1 - hyper["rho"]}

    def rule(self, p: Tensor, g: Tensor, *, slots: Slots, c: Numbers) -> Update:
        """Step along the gradient in units of the updates so far."""
        square = torch.addcmul(slots["square_avg"] * c["rho"], g * c["share"], g)
        delta = (slots["acc_delta"] + c["eps"]).sqrt() / (square + c["eps"]).sqrt() * g
        kept = torch.addcmul(slots["acc_delta"] * c["rho"], delta * c["share"], delta)
        return torch.addcmul(p, delta, c["lr"], value=-1), {"square_avg": square, "acc_delta": kept}
