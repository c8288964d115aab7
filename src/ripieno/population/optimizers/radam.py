"""RAdam.

Source: Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from ripieno.population.optimizers.adam import moments
from ripieno.population.optimizers.optimizer import Numbers, Optimizer, Slots, Update

__all__ = ["RAdam"]

_RECTIFIED_FROM = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RAdam(Optimizer):
    """``torch.optim.RAdam`` for all rows.

    Args:
        uses: See :class:`Optimizer`.
        decoupled_weight_decay: See :class:`Optimizer`.
    """

    defaults: ClassVar = MappingProxyType(
        {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    )

    @property
    def slots(self) -> tuple[str, ...]:
        """The moments."""
        return ("exp_avg", "exp_avg_sq")

    def coefficients(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:  # noqa: ARG002
        """Return the rate with and without an adaptive step, and which of them each row takes."""
        beta2 = hyper["beta2"]
        power = beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * power / (1 - power)
        rectified = length > _RECTIFIED_FROM
        # Before that length the terms are not positive; they are not used there.
        safe = torch.where(rectified, length, _RECTIFIED_FROM + 1)
        ratio = (safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe)
        rate = hyper["lr"] / (1 - hyper["beta1"] ** step)
        adaptive = rate * torch.where(rectified, ratio, 1.0).sqrt() * (1 - power).sqrt()
        return {
            "share1": 1 - hyper["beta1"],
            "beta2": beta2,
            "share2": 1 - beta2,
            "eps": hyper["eps"],
            "rate": rate,
            "adaptive": torch.where(rectified, adaptive, 0.0),
        }

    def rule(self, p: Tensor, g: Tensor, *, slots: Slots, c: Numbers) -> Update:
        """Step along the first moment, over the root of the second once that can be trusted."""
        kept = moments(g, slots, c)
        adaptive = c["adaptive"] / (kept["exp_avg_sq"].sqrt() + c["eps"])
        rate = torch.where(c["adaptive"] > 0, adaptive, c["rate"])
        return p - rate * kept["exp_avg"], kept
