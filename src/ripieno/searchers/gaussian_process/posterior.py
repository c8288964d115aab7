"""What is known of a function after some of its values were seen, exactly or with noise.

The values come in scenarios: where a value is not known (the trial still runs, or its
result was noisy), each scenario holds one that was drawn from what is known, given all
those drawn before it. So the whole posterior of the function in each scenario has a closed
form, and an average over scenarios is an average over what is not known.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ripieno.searchers.gaussian_process.fitting import Hyper
from ripieno.searchers.gaussian_process.kernel import Kernel

__all__ = ["Posterior"]

_JITTER = 1e-8


@dataclass(frozen=True, slots=True)
class Posterior:
    """A Gaussian process given its values at some points, in one or more scenarios.

    Args:
        kernel: The correlation of two points.
        hyper: Variance, noise and mean.
        points: Where values are known, shape ``(rows, dims)``.
        values: Less the mean, shape ``(rows, scenarios)``.
        inverse: Of the lower triangular root of the values' covariance, ``(rows, rows)``.
            Products with it take half the time of solving with the root.
        weights: The covariance's inverse times ``values``.
    """

    kernel: Kernel
    hyper: Hyper
    points: Tensor
    values: Tensor
    inverse: Tensor
    weights: Tensor

    @classmethod
    def of(cls, points: Tensor, targets: Tensor, *, kernel: Kernel, hyper: Hyper) -> "Posterior":
        """Return the posterior, in one scenario, of noisy targets of shape ``(rows,)``."""
        covariance = hyper.scale * kernel(points, points)
        covariance.diagonal().add_(hyper.noise)
        inverse = _inverse(torch.linalg.cholesky(covariance))
        values = (targets - hyper.mean)[:, None]
        return cls(kernel, hyper, points, values, inverse, inverse.T @ (inverse @ values))

    def predict(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return means ``(count, scenarios)`` and variances ``(count,)`` of the function.

        Both are differentiable in ``points``, shape ``(count, dims)``.
        """
        across = self.hyper.scale * self.kernel(points, self.points)
        half = self.inverse @ across.T
        variance = self.hyper.scale - half.square().sum(0)
        floor = 1e-10 * self.hyper.scale
        return self.hyper.mean + across @ self.weights, variance.clamp_min(floor)

    def latest(self, count: int) -> Tensor:
        """Return the last values that were entered, shape ``(count, scenarios)``."""
        return self.hyper.mean + self.values[len(self.values) - count :]

    def draw(self, points: Tensor, normals: Tensor) -> "Posterior":
        """Return the posterior that also knows the function at more points, as drawn.

        Args:
            points: Shape ``(count, dims)``.
            normals: Standard normal numbers, shape ``(count, scenarios)``; they decide what
                is drawn. One scenario becomes many.
        """
        across = self.hyper.scale * self.kernel(self.points, points)
        half = self.inverse @ across
        own = self.hyper.scale * self.kernel(points, points) - half.T @ half
        own.diagonal().add_(_JITTER * self.hyper.scale)
        corner = _root(own)
        drawn = across.T @ self.weights + corner @ normals
        rows, count = half.shape
        own_inverse = _inverse(corner)
        inverse = torch.zeros(rows + count, rows + count, dtype=points.dtype)
        inverse[:rows, :rows], inverse[rows:, rows:] = self.inverse, own_inverse
        inverse[rows:, :rows] = -own_inverse @ (half.T @ self.inverse)
        values = torch.cat([self.values.expand(rows, drawn.shape[1]), drawn])
        return replace(
            self,
            points=torch.cat([self.points, points]),
            values=values,
            inverse=inverse,
            weights=inverse.T @ (inverse @ values),
        )


def _inverse(root: Tensor) -> Tensor:
    one = torch.eye(len(root), dtype=root.dtype)
    found: Tensor = torch.linalg.solve_triangular(root, one, upper=False)
    return found


def _root(covariance: Tensor) -> Tensor:
    """Return the lower root of a covariance that rounding may have made indefinite."""
    jitter = _JITTER * float(covariance.diagonal().max())
    for _ in range(8):
        root: Tensor
        root, failed = torch.linalg.cholesky_ex(covariance)
        if not failed:
            return root
        covariance = covariance + jitter * torch.eye(len(covariance), dtype=covariance.dtype)
        jitter *= 10.0
    raise AssertionError("a covariance with a hundredth of it added has a root")
