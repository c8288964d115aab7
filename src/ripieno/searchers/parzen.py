"""Densities over a space as sums of kernels, one a config.

A kernel is a product over the hyperparameters: a normal distribution cut off at the ends of
the unit interval for a real number, the same integrated over each value's share of the
interval for a number of few values, and a table for a choice. A config says nothing about
the hyperparameters that are inactive in it: there its kernel is uniform. The hyperparameters
that are inactive in a point are integrated out. So the sum is a density over all configs of a
conditional space.

The logarithm of a kernel is linear in a few features of the point (``x``, ``x²``, which
value), so that all kernels at all points are one matrix product.

Source: J. Bergstra, R. Bardenet, Y. Bengio, B. Kegl, "Algorithms for Hyper-Parameter
Optimization", NeurIPS 2011; S. Falkner, A. Klein, F. Hutter, "BOHB: Robust and Efficient
Hyperparameter Optimization at Scale", ICML 2018 (the multivariate form); S. Watanabe,
"Tree-Structured Parzen Estimator: Understanding Its Algorithm Components and Their Roles for
Better Empirical Performance", arXiv:2304.11127, 2023 (bandwidths and their floor).
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ripieno.searchers.layout import Array, Layout

__all__ = ["Parzen", "bandwidth"]

_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
# So many standard deviations away, less of a normal distribution is left than one ulp.
_FAR = 8.3


class Parzen:
    """A mixture of one kernel a config, and of one that is uniform.

    Args:
        layout: Of the space.
        units: The configs, shape ``(configs, dims)``.
        active: Which of their hyperparameters are active, likewise.
        width: Standard deviation of the kernels, in units of the interval.
    """

    def __init__(
        self, layout: Layout, units: Array, *, active: NDArray[np.bool_], width: float
    ) -> None:
        self._layout = layout
        self._units = units
        self._active = active
        self._width = width
        self._tables = {
            index: values.table(kernels=len(units) + 1, width=width)
            for index, values in layout.values.items()
        }
        self._slopes = self._make_slopes()

    def log_density(self, features: Array) -> Array:
        """Return the logarithm of the density at points, shape ``(points,)``.

        Args:
            features: What :meth:`Layout.describe` says of the points.
        """
        logs = features @ self._slopes
        highest = logs.max(axis=1)
        total = np.exp(logs - highest[:, None]).sum(axis=1)
        # Every kernel has the same weight, the uniform one included.
        return highest + np.log(total / logs.shape[1])  # type: ignore[no-any-return]

    def sample(self, rng: np.random.Generator, count: int) -> Array:
        """Draw points of the unit cube, shape ``(count, dims)``."""
        kernel = rng.integers(len(self._units) + 1, size=count)
        # The uniform kernel, and all that a config does not know, stay as they are here.
        points = rng.random((count, self._layout.dims))
        rows = np.flatnonzero(kernel < len(self._units))
        near = self._near(kernel[rows], points[rows])
        points[rows] = np.where(self._active[kernel[rows]], near, points[rows])
        return points

    def _near(self, kernels: NDArray[np.intp], uniform: Array) -> Array:
        """Turn uniform numbers into draws of kernels, one a row, shape ``(rows, dims)``."""
        near, real = self._units[kernels], self._layout.real
        mu, width = near[:, real], self._width
        low, high = ndtr(-mu / width), ndtr((1.0 - mu) / width)
        quantiles = ndtri(low + uniform[:, real] * (high - low))
        near[:, real] = np.clip(mu + width * quantiles, 0.0, 1.0)
        for index, values in self._layout.values.items():
            below = self._tables[index].cumsum(axis=1)[values.index(near[:, index])]
            chosen = (below < uniform[:, index, None]).sum(axis=1)
            near[:, index] = values.middles[np.minimum(chosen, len(values.middles) - 1)]
        return near

    def _make_slopes(self) -> Array:
        """Return each kernel's factors of the features, ``(features, kernels)``.

        The uniform kernel is the last one.
        """
        layout, width, kernels = self._layout, self._width, len(self._units)
        squares, firsts, constants = np.split(np.arange(3 * len(layout.real)), 3)
        slopes = np.zeros((layout.features, kernels + 1))
        mu = self._units.T[layout.real]
        nearest = np.minimum(mu, 1.0 - mu)
        outside = ndtr(-nearest / width)
        if 0.5 / width < _FAR:
            outside += ndtr((nearest - 1.0) / width)
        slopes[squares, :-1] = -0.5 * width**-2
        slopes[firsts, :-1] = mu * width**-2
        slopes[constants, :-1] = (
            -0.5 * (mu / width) ** 2 - np.log((1.0 - outside) * width) - _LOG_ROOT
        )
        known = self._active.T
        if not known.all():
            for rows in (squares, firsts, constants):
                slopes[rows, :-1] *= known[layout.real]
        for index, values in layout.values.items():
            which = values.index(self._units[:, index])
            log_masses = np.log(values.masses)[:, None]
            logs = np.log(self._tables[index]).T[:, which]
            slopes[values.columns, :-1] = np.where(known[index], logs, log_masses)
            slopes[values.columns, -1:] = log_masses
        return slopes


def bandwidth(count: int, dims: int) -> float:
    """Return the standard deviation of ``count`` kernels in so many dimensions.

    Scott's rule for a spread of 0.1, but never so narrow that the kernels of a few configs
    leave no chance to what lies between them.
    """
    scott = 0.1 * math.pow(max(count, 1), -1.0 / (dims + 4))
    return max(scott, 1.0 / min(100, count + 2))
