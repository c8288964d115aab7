"""Adam and AdamW.

Sources: Kingma and Ba, "Adam: A method for stochastic optimization", ICLR 2015; Loshchilov
and Hutter, "Decoupled weight decay regularization", ICLR 2019; Reddi, Kale and Kumar, "On the
convergence of Adam and beyond", ICLR 2018 (amsgrad).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from ripieno.population.optimizers.optimizer import Numbers, Optimizer, RowKernel, Slots, Update

__all__ = ["Adam", "AdamW", "moments"]


_FEW = 1_000
"""Numbers of one row below which the call of a kernel costs more than its passes save."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adam(Optimizer):
    """``torch.optim.Adam`` for all rows.

    Args:
        uses: See :class:`Optimizer`.
        amsgrad: Whether every row divides by the largest mean square so far.
    """

    amsgrad: bool = False

    defaults: ClassVar = MappingProxyType(
        {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    )

    @property
    def slots(self) -> tuple[str, ...]:
        """The moments, and the largest second one under amsgrad."""
        return ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if self.amsgrad else ()))

    def kernel(self, parameters: Mapping[str, Tensor]) -> RowKernel | None:
        """Return torch's fused kernel, one pass over all that is kept, where it can take a row."""
        held = list(parameters.values())
        kinds = {(p.device.type, p.dtype) for p in held}
        if not kinds <= {("cpu", torch.float32), ("cpu", torch.float64)} or len(kinds) != 1:
            return None
        return self._fused if sum(p.numel() // len(p) for p in held) >= _FEW else None

    def _fused(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        *,
        slots: Mapping[str, Sequence[Tensor]],
        step: Tensor,
        hyper: Mapping[str, float],
    ) -> None:
        """Update rows in place, as ``torch.optim.Adam(fused=True)`` does."""
        own = self.decoupled_weight_decay
        decoupled = self.decouples if own is None else own
        run = torch._fused_adamw_ if decoupled else torch._fused_adam_
        run(
            list(parameters), list(gradients), list(slots["exp_avg"]), list(slots["exp_avg_sq"]),
            list(slots["max_exp_avg_sq"]) if self.amsgrad else [],
            [step] * len(parameters),
            lr=hyper["lr"], beta1=hyper["beta1"], beta2=hyper["beta2"], eps=hyper["eps"],
            weight_decay=hyper["weight_decay"] if "weight_decay" in self.uses else 0.0,
            amsgrad=self.amsgrad, maximize=False,
        )  # fmt: skip

    def coefficients(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:  # noqa: ARG002
        """Return the hyperparameters corrected for the bias of the first steps."""
        return {
            "share1": 1 - hyper["beta1"],
            "beta2": hyper["beta2"],
            "share2": 1 - hyper["beta2"],
            "step_size": hyper["lr"] / (1 - hyper["beta1"] ** step),
            "correction": (1 - hyper["beta2"] ** step).sqrt(),
            "eps": hyper["eps"],
        }

    def rule(self, p: Tensor, g: Tensor, *, slots: Slots, c: Numbers) -> Update:
        """Step along the first moment over the root of the second one."""
        kept = moments(g, slots, c)
        square = kept["exp_avg_sq"]
        if self.amsgrad:
            square = kept["max_exp_avg_sq"] = torch.maximum(slots["max_exp_avg_sq"], square)
        denominator = square.sqrt() / c["correction"] + c["eps"]
        return p - c["step_size"] * kept["exp_avg"] / denominator, kept


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamW(Adam):
    """``torch.optim.AdamW`` for all rows: weight decay is decoupled from the gradient."""

    defaults: ClassVar = MappingProxyType({**Adam.defaults, "weight_decay": 1e-2})

    decouples: ClassVar = True


def moments(g: Tensor, slots: Slots, c: Numbers) -> dict[str, Tensor]:
    """Return the running means of the gradient and of its square."""
    return {
        "exp_avg": torch.lerp(slots["exp_avg"], g, c["share1"]),
        "exp_avg_sq": torch.addcmul(slots["exp_avg_sq"] * c["beta2"], g * c["share2"], g),
    }
