"""RMSprop.

Sources: Tieleman and Hinton, "Lecture 6.5 - RMSprop", Coursera, 2012; Graves, "Generating
sequences with recurrent neural networks", arXiv:1308.0850 (centered).
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from ripieno.population.optimizers.optimizer import Numbers, Optimizer, Slots, Update

__all__ = ["RMSprop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RMSprop(Optimizer):
    """``torch.optim.RMSprop`` for all rows.

    Args:
        uses: See :class:`Optimizer`.
        centered: Whether every row divides by the deviation instead of the mean square.
    """

    centered: bool = False

    defaults: ClassVar = MappingProxyType(
        {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "weight_decay": 0.0}
    )

    @property
    def slots(self) -> tuple[str, ...]:
        """The mean square, the mean if centered, the momentum if any row has one."""
        mean = ("grad_avg",) if self.centered else ()
        return ("square_avg", *mean, *(("momentum_buffer",) if "momentum" in self.uses else ()))

    def coefficients(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:  # noqa: ARG002
        """Return the hyperparameters, and the share of what is new in a mean."""
        return {**hyper, "share": 1 - hyper["alpha"]}

    def rule(self, p: Tensor, g: Tensor, *, slots: Slots, c: Numbers) -> Update:
        """Step along the gradient over the root of its mean square."""
        square = torch.addcmul(slots["square_avg"] * c["alpha"], g * c["share"], g)
        kept = {"square_avg": square}
        if self.centered:
            mean = kept["grad_avg"] = torch.lerp(slots["grad_avg"], g, c["share"])
            square = torch.addcmul(square, mean, mean, value=-1)
        ahead = g / (square.sqrt() + c["eps"])
        if "momentum" in self.uses:
            ahead = torch.addcmul(ahead, slots["momentum_buffer"], c["momentum"])
            kept["momentum_buffer"] = ahead
        return torch.addcmul(p, ahead, c["lr"], value=-1), kept
