"""NAdam.

Source: Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from ripieno.population.optimizers.adam import moments
from ripieno.population.optimizers.optimizer import Numbers, Optimizer, Slots, Update

__all__ = ["NAdam"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NAdam(Optimizer):
    """``torch.optim.NAdam`` for all rows.

    Args:
        uses: See :class:`Optimizer`.
        decoupled_weight_decay: See :class:`Optimizer`.
    """

    defaults: ClassVar = MappingProxyType(
        {
            "lr": 2e-3,
            "beta1": 0.9,
            "beta2": 0.999,
            "eps": 1e-8,
            "momentum_decay": 4e-3,
            "weight_decay": 0.0,
        }
    )
    row_slots: ClassVar = MappingProxyType({"mu_product": 1.0})

    @property
    def slots(self) -> tuple[str, ...]:
        """The moments."""
        return ("exp_avg", "exp_avg_sq")

    def next_row_slots(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:
        """Return the product of the momenta so far."""
        kept = row_slots["mu_product"]
        # torch keeps it in its default dtype, rounded after every step.
        return {"mu_product": kept * _momentum(hyper, step).to(kept.dtype)}

    def coefficients(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:
        """Return the rates of the gradient and of the momentum that lies ahead."""
        mu, ahead = _momentum(hyper, step), _momentum(hyper, step + 1)
        product = row_slots["mu_product"].double()
        return {
            "share1": 1 - hyper["beta1"],
            "beta2": hyper["beta2"],
            "share2": 1 - hyper["beta2"],
            "correction": 1 - hyper["beta2"] ** step,
            "eps": hyper["eps"],
            "rate_now": hyper["lr"] * (1.0 - mu) / (1.0 - product),
            "rate_ahead": hyper["lr"] * ahead / (1.0 - product * ahead),
        }

    def rule(self, p: Tensor, g: Tensor, *, slots: Slots, c: Numbers) -> Update:
        """Step along the gradient and the momentum over the root of the second moment."""
        kept = moments(g, slots, c)
        denominator = (kept["exp_avg_sq"] / c["correction"]).sqrt() + c["eps"]
        return p - (c["rate_now"] * g + c["rate_ahead"] * kept["exp_avg"]) / denominator, kept


def _momentum(hyper: Numbers, step: Tensor) -> Tensor:
    base = torch.full_like(step, 0.96)
    return hyper["beta1"] * (1.0 - 0.5 * base ** (step * hyper["momentum_decay"]))
