"""Stochastic gradient descent with momentum.

Source: Sutskever et al., "On the importance of initialization and momentum in deep
learning", ICML 2013.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from ripieno.population.optimizers.optimizer import Numbers, Optimizer, Slots, Update

__all__ = ["SGD"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SGD(Optimizer):
    """``torch.optim.SGD`` for all rows.

    Args:
        uses: See :class:`Optimizer`.
        nesterov: Whether every row looks ahead along its momentum.
    """

    nesterov: bool = False

    defaults: ClassVar = MappingProxyType(
        {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0}
    )
    counts: ClassVar = False

    @property
    def slots(self) -> tuple[str, ...]:
        """The momentum, if any row has one."""
        return ("momentum_buffer",) if "momentum" in self.uses else ()

    def coefficients(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:  # noqa: ARG002
        """Return the hyperparameters, and the share of the gradient that the buffer takes."""
        # torch copies the first gradient into the buffer undamped, and has no buffer at all
        # where the momentum is 0; a buffer of zeros does the same.
        undamped = (step == 1) | (hyper["momentum"] == 0)
        return {**hyper, "share": torch.where(undamped, 1.0, 1.0 - hyper["dampening"])}

    def rule(self, p: Tensor, g: Tensor, *, slots: Slots, c: Numbers) -> Update:
        """Step along the momentum, or along the gradient where there is none."""
        if "momentum" not in self.uses:
            return torch.addcmul(p, g, c["lr"], value=-1), {}
        fresh = g * c["share"] if "dampening" in self.uses else g
        buffer = torch.addcmul(fresh, slots["momentum_buffer"], c["momentum"])
        ahead = torch.addcmul(g, buffer, c["momentum"]) if self.nesterov else buffer
        return torch.addcmul(p, ahead, c["lr"], value=-1), {"momentum_buffer": buffer}
