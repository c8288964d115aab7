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

__all__ = ["Crowd", "Kernels", "Parzen", "bandwidth"]

_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
# So many standard deviations away, less of a normal distribution is left than one ulp.
_FAR = 8.3
# Kernels that are made quickly enough each time.
_FEW = 128


class Kernels:
    """Kernels of one width, as each one's factors of the features of a point.

    Args:
        layout: Of the space.
        count: How many configs have a kernel in the mixture.
        width: Standard deviation of the kernels, in units of the interval.
    """

    def __init__(self, layout: Layout, *, count: int, width: float) -> None:
        self.count, self.width = count, width
        self.tables = {
            index: values.table(kernels=count + 1, width=width)
            for index, values in layout.values.items()
        }
        self.uniform = np.zeros((1, layout.features))
        """The factors of the uniform kernel, ``(1, features)``."""
        for values in layout.values.values():
            self.uniform[0, values.columns] = np.log(values.masses)
        self._layout = layout
        self._log_tables = {index: np.log(table) for index, table in self.tables.items()}

    def factors(self, units: Array, active: NDArray[np.bool_]) -> Array:
        """Return the factors of the kernels of configs, shape ``(configs, features)``."""
        layout, width = self._layout, self.width
        squares, firsts, constants = np.split(np.arange(3 * len(layout.real)), 3)
        factors = np.empty((len(units), layout.features))
        mu = units[:, layout.real]
        nearest = np.minimum(mu, 1.0 - mu)
        outside = ndtr(-nearest / width)
        if 0.5 / width < _FAR:
            outside += ndtr((nearest - 1.0) / width)
        factors[:, squares] = -0.5 * width**-2
        factors[:, firsts] = mu * width**-2
        factors[:, constants] = (
            -0.5 * (mu / width) ** 2 - np.log((1.0 - outside) * width) - _LOG_ROOT
        )
        if not active.all():
            for columns in (squares, firsts, constants):
                factors[:, columns] *= active[:, layout.real]
        for index, values in layout.values.items():
            logs = self._log_tables[index][values.index(units[:, index])]
            known = active[:, index, None]
            factors[:, values.columns] = np.where(known, logs, self.uniform[:, values.columns])
        return factors


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
        self._kernels = Kernels(layout, count=len(units), width=width)

    def log_density(self, features: Array) -> Array:
        """Return the logarithm of the density at points, shape ``(points,)``.

        Args:
            features: What :meth:`Layout.describe` says of the points.
        """
        own = self._kernels.factors(self._units, self._active)
        return _log_mean(features @ own.T, features @ self._kernels.uniform.T)

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
        mu, width = near[:, real], self._kernels.width
        low, high = ndtr(-mu / width), ndtr((1.0 - mu) / width)
        quantiles = ndtri(low + uniform[:, real] * (high - low))
        near[:, real] = np.clip(mu + width * quantiles, 0.0, 1.0)
        for index, values in self._layout.values.items():
            below = self._kernels.tables[index].cumsum(axis=1)[values.index(near[:, index])]
            chosen = (below < uniform[:, index, None]).sum(axis=1)
            near[:, index] = values.middles[np.minimum(chosen, len(values.middles) - 1)]
        return near


class Crowd:
    """The mixture of most configs ever seen, which makes the kernel of each only once.

    All kernels have one width, which follows from their number. Beyond a hundred it follows
    from the next of a few round numbers below, and lasts until they are a fifth more.

    Args:
        layout: Of the space.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._kernels = Kernels(layout, count=0, width=1.0)
        self._factors = np.empty((64, layout.features))
        self._made = 0

    def forget(self, row: int) -> None:
        """Make the kernels from a row on anew: its config is another one now."""
        self._made = min(self._made, row)

    def log_density(
        self,
        features: Array,
        units: Array,
        *,
        active: NDArray[np.bool_],
        rows: NDArray[np.intp],
        more: tuple[Array, NDArray[np.bool_]],
    ) -> Array:
        """Return the logarithm of the density at points, shape ``(points,)``.

        Args:
            features: What :meth:`Layout.describe` says of the points.
            units: All configs so far, shape ``(configs, dims)``.
            active: Which of their hyperparameters are active, likewise.
            rows: Those that have a kernel.
            more: Configs that have one for this time, and their active hyperparameters.
        """
        count = _rounded(len(rows) + len(more[0]))
        if self._kernels.count != count:
            width = bandwidth(count, self._layout.dims)
            self._kernels, self._made = Kernels(self._layout, count=count, width=width), 0
        if len(units) > len(self._factors):
            unused = np.empty((2 * len(units) - len(self._factors), self._layout.features))
            self._factors = np.concatenate([self._factors, unused])
        new = slice(self._made, len(units))
        self._factors[new] = self._kernels.factors(units[new], active[new])
        self._made = len(units)
        kernels = self._kernels
        logs = (features @ self._factors[: len(units)].T)[:, rows]
        return _log_mean(logs, features @ kernels.factors(*more).T, features @ kernels.uniform.T)


def _log_mean(*logs: Array) -> Array:
    """Return the logarithm of the mean of kernels, ``(points, kernels)`` each."""
    # Every kernel has the same weight, the uniform one included.
    together = np.concatenate(logs, axis=1)
    highest = together.max(axis=1)
    total = np.exp(together - highest[:, None]).sum(axis=1)
    return highest + np.log(total / together.shape[1])  # type: ignore[no-any-return]


def _rounded(count: int) -> int:
    """Return the next count below for which kernels are made, four for each doubling."""
    if count < _FEW:
        return count
    return int(math.exp2(math.floor(4.0 * math.log2(count)) / 4.0))


def bandwidth(count: int, dims: int) -> float:
    """Return the standard deviation of ``count`` kernels in so many dimensions.

    Scott's rule for a spread of 0.1, but never so narrow that the kernels of a few configs
    leave no chance to what lies between them.
    """
    scott = 0.1 * math.pow(max(count, 1), -1.0 / (dims + 4))
    return max(scott, 1.0 / min(100, count + 2))
