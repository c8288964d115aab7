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
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ripieno.space import Categorical, Domain, Int, Space

__all__ = ["Layout", "Parzen", "bandwidth"]

Array = NDArray[np.float64]

_MOST_CELLS = 32
_LEAST_MASS = 1e-12
_LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of a finite hyperparameter, where each of them has an index.

    Args:
        edges: Where each value's share of the unit interval ends, shape ``(values - 1,)``.
        ordered: Whether neighbours are alike.
        columns: Where its features are.
    """

    edges: Array
    ordered: bool
    columns: slice

    @property
    def masses(self) -> Array:
        """The probability of each value under a uniform draw."""
        return np.diff(self.edges, prepend=0.0, append=1.0)

    def index(self, unit: Any) -> Any:
        """Return which value a point of the interval is, or each of an array of points."""
        return np.searchsorted(self.edges, unit, side="right")

    @property
    def middles(self) -> Array:
        """The middle of each value's share of the interval."""
        ends = np.array([0.0, *self.edges, 1.0])
        return 0.5 * (ends[1:] + ends[:-1])  # type: ignore[no-any-return]

    def table(self, *, kernels: int, width: float) -> Array:
        """Return the probabilities of all values under each value's kernel, row by row."""
        count = len(self.masses)
        if not self.ordered:
            # One observation of the choice, and one in all that is spread evenly.
            return (np.eye(count) + 1.0 / kernels) / (1.0 + count / kernels)
        ends = np.array([0.0, *self.edges, 1.0])
        below = ndtr((ends - self.middles[:, None]) / width)
        mass = np.maximum(np.diff(below, axis=1), _LEAST_MASS)
        return mass / mass.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]


class Layout:
    """Which hyperparameters of a space are real and which have values, and their features.

    A number with more than 32 values is taken for real.

    Args:
        space: The space.
    """

    def __init__(self, space: Space) -> None:
        domains = [space[name] for name in space.searched]
        finite = [domain.size <= _MOST_CELLS for domain in domains]
        self.dims = len(domains)
        self.real = np.array([i for i, is_finite in enumerate(finite) if not is_finite], np.intp)
        self.values: dict[int, _Values] = {}
        self.features = 3 * len(self.real)
        for index, domain in enumerate(domains):
            if finite[index]:
                columns = slice(self.features, self.features + int(domain.size))
                ordered = not isinstance(domain, Categorical)
                self.values[index] = _Values(_edges(domain), ordered, columns)
                self.features += int(domain.size)

    def describe(self, units: Array, active: NDArray[np.bool_]) -> Array:
        """Return the features of points.

        Args:
            units: Points of the unit cube, shape ``(points, dims)``.
            active: Which coordinates count, likewise.

        Returns:
            Shape ``(points, features)``.
        """
        features = np.zeros((len(units), self.features))
        reals = len(self.real)
        x, counted = units[:, self.real], active[:, self.real]
        features[:, :reals] = np.where(counted, x * x, 0.0)
        features[:, reals : 2 * reals] = np.where(counted, x, 0.0)
        features[:, 2 * reals : 3 * reals] = counted
        rows = np.arange(len(units))
        for index, values in self.values.items():
            features[rows, values.columns.start + values.index(units[:, index])] = active[:, index]
        return features


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
        logs = features @ self._slopes.T
        highest = logs.max(axis=1)
        total = np.exp(logs - highest[:, None]).sum(axis=1)
        # Every kernel has the same weight, the uniform one included.
        return highest + np.log(total / len(self._slopes))  # type: ignore[no-any-return]

    def sample(self, rng: np.random.Generator, count: int) -> Array:
        """Draw points of the unit cube, shape ``(count, dims)``."""
        kernel = rng.integers(len(self._slopes), size=count)
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
        """Return each kernel's factors of the features, the uniform one's last."""
        layout, reals = self._layout, len(self._layout.real)
        slopes = np.zeros((len(self._units) + 1, layout.features))
        mu, known = self._units[:, layout.real], self._active[:, layout.real]
        precision = self._width**-2
        slopes[:-1, :reals] = np.where(known, -0.5 * precision, 0.0)
        slopes[:-1, reals : 2 * reals] = np.where(known, mu * precision, 0.0)
        inside = ndtr((1.0 - mu) / self._width) - ndtr(-mu / self._width)
        constant = -0.5 * precision * mu**2 - np.log(inside * self._width) - _LOG_ROOT_TWO_PI
        slopes[:-1, 2 * reals : 3 * reals] = np.where(known, constant, 0.0)
        for index, values in layout.values.items():
            which = values.index(self._units[:, index])
            log_table, log_masses = np.log(self._tables[index]), np.log(values.masses)
            slopes[:-1, values.columns] = np.where(
                self._active[:, index, None], log_table[which], log_masses
            )
            slopes[-1, values.columns] = log_masses
        return slopes


def bandwidth(count: int, dims: int) -> float:
    """Return the standard deviation of ``count`` kernels in so many dimensions.

    Scott's rule for a spread of 0.1, but never so narrow that the kernels of a few configs
    leave no chance to what lies between them.
    """
    return max(0.1 * max(count, 1) ** (-1.0 / (dims + 4)), 1.0 / min(100, count + 2))


def _edges(domain: Domain) -> Array:
    """Return where the shares of a finite domain's values meet."""
    count = int(domain.size)
    if isinstance(domain, Int) and domain.log:
        between = np.log(np.arange(domain.low, domain.high) + 0.5)
        low, high = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
        return (between - low) / (high - low)  # type: ignore[no-any-return]
    return np.arange(1, count) / count
