"""Muon for hidden matrices, AdamW for everything else.

Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks",
https://kellerjordan.github.io/posts/muon/, 2024; Liu et al., "Muon is scalable for LLM
training", arXiv:2502.16982, 2025 (the scale of the steps).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from ripieno.population.optimizers.adam import AdamW
from ripieno.population.optimizers.optimizer import Numbers, Optimizer, RowKernel, Slots, Update

__all__ = ["Muon"]

_A, _B, _C = 3.4445, -4.7750, 2.0315
_ROUNDS = 5
_TINY = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Muon(AdamW):
    """``torch.optim.Muon`` with Nesterov momentum beside ``torch.optim.AdamW``, for all rows.

    Args:
        uses: See :class:`Optimizer`.
        decoupled_weight_decay: See :class:`Optimizer`.
        matrices: Names of the parameters that Muon trains.
    """

    matrices: frozenset[str] = frozenset()

    defaults: ClassVar = MappingProxyType({**AdamW.defaults, "momentum": 0.95, "weight_decay": 0.1})

    def slots_of(self, name: str) -> tuple[str, ...]:
        """Return the momentum for a matrix, the moments for any other parameter."""
        return ("momentum_buffer",) if name in self.matrices else self.slots

    def counts_for(self, name: str) -> bool:
        """Say that AdamW alone counts."""
        return name not in self.matrices

    def rule_of(self, name: str) -> Optimizer:
        """Return the rule of one parameter."""
        return _Matrix(uses=self.uses) if name in self.matrices else self

    def kernel(self, parameters: Mapping[str, Tensor]) -> RowKernel | None:  # noqa: ARG002
        """Return none: matrices of all rows are best made orthogonal at once."""
        return None

    def coefficients(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:
        """Return what both rules need."""
        of_adam = AdamW.coefficients(self, hyper, step, row_slots)
        momentum = hyper["momentum"]
        return {**of_adam, "lr": hyper["lr"], "momentum": momentum, "share": 1 - momentum}


class _Matrix(AdamW):
    """The rule of one hidden matrix."""

    def rule(self, p: Tensor, g: Tensor, *, slots: Slots, c: Numbers) -> Update:
        """Step along the nearest half-orthogonal matrix to the momentum."""
        buffer = torch.lerp(slots["momentum_buffer"], g, c["share"])
        direction = orthogonal(torch.lerp(g, buffer, c["momentum"]))
        rate = c["lr"] * (0.2 * math.sqrt(max(p.shape[1:])))
        return p - rate * direction, {"momentum_buffer": buffer}


def orthogonal(matrices: Tensor) -> Tensor:
    """Return matrices with all singular values near 1, bfloat16, by Newton-Schulz rounds.

    Args:
        matrices: ``(members, rows, columns)``.
    """
    x = matrices.bfloat16()
    is_tall = x.shape[1] > x.shape[2]
    x = x.mT if is_tall else x
    norm = torch.linalg.vector_norm(x.flatten(1), dim=1).clamp(min=_TINY)
    x = x / norm.view(-1, 1, 1)
    for _ in range(_ROUNDS):
        gram = x @ x.mT
        update = torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C)
        x = torch.baddbmm(x, update, x, beta=_A)
    return x.mT if is_tall else x
