"""The hyperparameters of the model itself: the most probable ones, given what was observed.

Source: C. Hvarfner, E. O. Hellsten, L. Nardi, "Vanilla Bayesian Optimization Performs Great
in High Dimensions", ICML 2024 (the prior of the lengthscales grows with the root of the
number of dimensions); C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine
Learning", 2006, section 5.4.1 (the evidence and its gradient).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.searchers.gaussian_process.kernel import Kernel

__all__ = ["Evidence", "Hyper", "fit"]

_ROOT = math.sqrt(5.0)
_LENGTH_MEAN, _LENGTH_SD = math.sqrt(2.0), math.sqrt(3.0)
_SCALE_SD = 1.0
_NOISE_MEAN, _NOISE_SD = -9.0, 3.0
_MEAN_SD = 1.0
_LENGTHS = (1e-2, 1e3)
_SCALES = (1e-2, 1e2)
_NOISES = (1e-6, 1.0)


@dataclass(frozen=True, slots=True)
class Hyper:
    """What the model knows beside the observations, for standardised targets.

    Args:
        lengthscales: One a coordinate, shape ``(dims,)``.
        scale: Variance of the function about its mean.
        noise: Variance of an observation about the function.
        mean: What the function is where nothing was observed.
    """

    lengthscales: Tensor
    scale: float
    noise: float
    mean: float

    def kernel(self, categorical: Tensor) -> Kernel:
        """Return the kernel with these lengthscales."""
        return Kernel(self.lengthscales, categorical)

    @classmethod
    def typical(cls, dims: int, *, length: float = 0.5) -> "Hyper":
        """Return where a search for the most probable ones may begin."""
        scales = torch.full((dims,), length * math.sqrt(dims), dtype=torch.float64)
        return cls(scales, scale=1.0, noise=1e-4, mean=0.0)


def fit(
    points: Tensor, targets: Tensor, *, categorical: Tensor, starts: list[Hyper], steps: int
) -> Hyper:
    """Return the most probable hyperparameters.

    Args:
        points: Shape ``(rows, dims)``, float64.
        targets: Standardised, shape ``(rows,)``.
        categorical: Which coordinates are choices, bool, shape ``(dims,)``.
        starts: Where to climb from; the best of the summits is taken, the first of equals.
        steps: Iterations of each climb at most.
    """
    from scipy.optimize import minimize

    evidence = Evidence(points, targets, categorical)
    dims = points.shape[1]
    ranges = [_LENGTHS] * dims + [_SCALES, _NOISES]
    bounds = [(math.log(low), math.log(high)) for low, high in ranges] + [(-4.0, 4.0)]
    found = [
        minimize(
            evidence,
            np.clip(_pack(start), *np.array(bounds).T),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-7, "gtol": 1e-4},
        )
        for start in starts
    ]
    best: Any = min(found, key=lambda each: float(each.fun))
    return _unpack(best.x)


class Evidence:
    """The negative logarithm of the posterior density of the hyperparameters."""

    def __init__(self, points: Tensor, targets: Tensor, categorical: Tensor) -> None:
        apart = points.T[:, :, None] - points.T[:, None, :]
        # Squared differences of numbers, and ones where choices differ: shape (dims, n, n).
        self._apart = torch.where(
            categorical[:, None, None], (apart != 0.0).to(points.dtype), apart.square()
        )
        self._targets = targets
        self._numeric = ~categorical
        self._dims, self._rows = self._apart.shape[:2]
        self._length_mean = _LENGTH_MEAN + 0.5 * math.log(self._dims) if self._dims else 0.0

    def __call__(self, packed: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the value and the gradient, shape ``(dims + 3,)``."""
        hyper = _unpack(packed)
        weights = hyper.lengthscales.pow(-2)
        near = torch.einsum("d,dij->ij", weights * self._numeric, self._apart).sqrt() * _ROOT
        other = torch.einsum("d,dij->ij", weights * ~self._numeric, self._apart)
        decay = torch.exp(-near - other)
        correlation = (1.0 + near + near.square() / 3.0) * decay
        covariance = hyper.scale * correlation
        covariance.diagonal().add_(hyper.noise)
        root, failed = torch.linalg.cholesky_ex(covariance)
        if failed:
            return 1e25, np.zeros_like(packed)
        rest = self._targets - hyper.mean
        inverse = torch.cholesky_inverse(root)
        solved = inverse @ rest
        # Eq. (5.8) of Rasmussen and Williams, and (5.9) for its gradient.
        value = 0.5 * rest @ solved + root.diagonal().log().sum()
        outer = 0.5 * (inverse - torch.outer(solved, solved))
        # d k / d (r^2) of the Matérn, and d k / d (weighted Hamming distance) = -k.
        smooth = torch.einsum("ij,dij->d", outer * (-5.0 / 6.0) * (1.0 + near) * decay, self._apart)
        chosen = torch.einsum("ij,dij->d", -outer * correlation, self._apart)
        by_weight = hyper.scale * torch.where(self._numeric, smooth, chosen)
        gradient = np.concatenate(
            [
                (-2.0 * weights * by_weight).numpy(),
                [
                    hyper.scale * float((outer * correlation).sum()),
                    hyper.noise * float(outer.diagonal().sum()),
                    -float(solved.sum()),
                ],
            ]
        )
        prior, slope = self.prior(packed)
        return float(value) + prior, gradient + slope

    def prior(self, packed: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the negative logarithm of the prior density, and its gradient."""
        dims = self._dims
        means = np.array([self._length_mean] * dims + [0.0, _NOISE_MEAN, 0.0])
        spreads = np.array([_LENGTH_SD] * dims + [_SCALE_SD, _NOISE_SD, _MEAN_SD])
        apart = (packed - means) / spreads
        slope = apart / spreads
        # The densities are those of the lengthscales, not of their logarithms.
        slope[:dims] += 1.0
        return float(0.5 * (apart**2).sum() + packed[:dims].sum()), slope


def _pack(hyper: Hyper) -> NDArray[np.float64]:
    rest = [math.log(hyper.scale), math.log(hyper.noise), hyper.mean]
    return np.concatenate([hyper.lengthscales.log().numpy(), rest])


def _unpack(packed: NDArray[np.float64]) -> Hyper:
    lengths = torch.from_numpy(np.exp(packed[:-3]))
    scale, noise = np.exp(packed[-3:-1]).tolist()
    return Hyper(lengths, scale=scale, noise=noise, mean=float(packed[-1]))
