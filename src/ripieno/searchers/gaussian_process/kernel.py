"""How alike two configs are expected to be, from nought to one.

A Matérn-5/2 kernel over the numbers, with a lengthscale each, times a kernel of Hamming's
distance over the choices: two configs are the less alike, the more choices they differ in,
and no choice is nearer to one than to another.

Source: J. Snoek, H. Larochelle, R. P. Adams, "Practical Bayesian Optimization of Machine
Learning Algorithms", NeurIPS 2012 (Matérn-5/2 with automatic relevance); B. Ru, A. Alvi,
V. Nguyen, M. Osborne, S. Roberts, "Bayesian Optimisation over Multiple Continuous and
Categorical Inputs", ICML 2020 (numbers and choices in one kernel).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Kernel", "hamming", "matern"]

_ROOT = math.sqrt(5.0)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A correlation between points of the unit cube.

    Args:
        lengthscales: One for each coordinate, shape ``(dims,)``, float64.
        categorical: Which coordinates are choices, bool, shape ``(dims,)``. Two values of
            such a coordinate are equal or different, and nothing else.
    """

    lengthscales: Tensor
    categorical: Tensor

    def __call__(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the correlations of points ``(m, dims)`` with points ``(n, dims)``.

        Returns:
            Shape ``(m, n)``; differentiable in the numbers of ``left``.
        """
        numeric = ~self.categorical
        scales = self.lengthscales[numeric]
        distance = torch.cdist(
            left[:, numeric] / scales,
            right[:, numeric] / scales,
            # The quick way loses the digits of small distances, and its gradient with them.
            compute_mode="donot_use_mm_for_euclid_dist",
        )
        correlation = matern(distance)
        if not self.categorical.any():
            return correlation
        chosen = self.categorical
        differs = left[:, None, chosen] != right[None, :, chosen]
        return correlation * hamming(differs.to(left.dtype), self.lengthscales[chosen])


def matern(distance: Tensor) -> Tensor:
    """Return the Matérn-5/2 correlation at a distance in lengthscales."""
    scaled = _ROOT * distance
    return (1.0 + scaled + scaled.square() / 3.0) * torch.exp(-scaled)


def hamming(differs: Tensor, lengthscales: Tensor) -> Tensor:
    """Return the correlation of choices, of which some differ (1.0) and some do not (0.0).

    Args:
        differs: Shape ``(…, choices)``.
        lengthscales: Shape ``(choices,)``.
    """
    return torch.exp(-(differs @ lengthscales.pow(-2)))
