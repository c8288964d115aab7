"""The logarithm of the improvement that is expected of a point.

Source: S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy, "Unexpected Improvements
to Expected Improvement for Bayesian Optimization", NeurIPS 2023, Eqs. (8)-(9); B. Letham,
B. Karrer, G. Ottoni, E. Bakshy, "Constrained Bayesian Optimization with Noisy Experiments",
Bayesian Analysis 14(2), 2019 (the average over what noisy values may have been).
"""

import math

import torch
from torch import Tensor

__all__ = ["log_expected_improvement", "log_h"]

_HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)
_FAR = 1e5


def log_expected_improvement(mean: Tensor, variance: Tensor, best: Tensor) -> Tensor:
    """Return log E[max(best - f, 0)], averaged over scenarios.

    Args:
        mean: Of the function, shape ``(count, scenarios)``.
        variance: Shape ``(count,)``, above zero.
        best: The least value so far in each scenario, shape ``(scenarios,)``.

    Returns:
        Shape ``(count,)``.
    """
    spread = variance.sqrt()[:, None]
    each = spread.log() + log_h((best - mean) / spread)
    return torch.logsumexp(each, dim=1) - math.log(mean.shape[1])


def log_h(z: Tensor) -> Tensor:
    """Return log(φ(z) + z Φ(z)) without losing it where it is far below zero."""
    # Each branch is given numbers that are harmless to it, as gradients of both are taken.
    near = z.clamp_min(-1.0)
    direct = torch.log(
        torch.exp(-0.5 * near.square() - _HALF_LOG_TAU) + near * torch.special.ndtr(near)
    )
    far = (-z).clamp(1.0, _FAR)
    # Eq. (9): φ(z) (1 - |z| Φ(z) / φ(z)), with the ratio as a scaled error function.
    ratio = math.sqrt(0.5 * math.pi) * far * torch.special.erfcx(far / math.sqrt(2.0))
    tail = torch.log1p(-ratio)
    beyond = (-z).clamp_min(_FAR)
    tail = torch.where(z < -_FAR, -2.0 * beyond.log(), tail)
    return torch.where(z > -1.0, direct, -0.5 * z.square() - _HALF_LOG_TAU + tail)
