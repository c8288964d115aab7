"""Lion: the sign of an interpolated momentum.

Source: Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023,
Algorithm 2.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Lion"]


class Lion(torch.optim.Optimizer):
    """The optimizer of the source, which torch does not have; weight decay is decoupled.

    Args:
        params: Parameters, named parameters or groups of them, as ``torch.optim`` takes them.
        lr: Learning rate; every weight moves by it in every step.
        betas: Share of the momentum in the update, and decay of the momentum.
        weight_decay: Decoupled weight decay.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        *,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step; the momentum is kept as ``exp_avg``."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, group)
        return loss

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        state, (beta1, beta2) = self.state[p], group["betas"]
        if "exp_avg" not in state:
            state["exp_avg"] = torch.zeros_like(p, memory_format=torch.preserve_format)
        momentum, gradient = state["exp_avg"], torch.as_tensor(p.grad)
        if group["weight_decay"] != 0:
            p.mul_(1 - group["lr"] * group["weight_decay"])
        # c_t = beta_1 m_{t-1} + (1 - beta_1) g_t;  theta_t = theta_{t-1} - eta sign(c_t)
        p.add_(torch.lerp(momentum, gradient, 1 - beta1).sign_(), alpha=-group["lr"])
        # m_t = beta_2 m_{t-1} + (1 - beta_2) g_t
        momentum.lerp_(gradient, 1 - beta2)
