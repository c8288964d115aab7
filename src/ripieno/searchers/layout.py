"""Which hyperparameters of a space are real, which have a few values, and where each value is."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ripieno.space import Categorical, Domain, Int, Space

__all__ = ["Array", "Layout", "Values"]

Array = NDArray[np.float64]

_MOST_CELLS = 32
_LEAST_MASS = 1e-12


class Values:
    """The values of a finite hyperparameter, where each of them has an index.

    Args:
        edges: Where the values' shares of the unit interval meet, shape ``(values - 1,)``.
        ordered: Whether neighbours are alike.
        columns: Where its features are.
    """

    def __init__(self, edges: Array, *, ordered: bool, columns: slice) -> None:
        self.edges = edges
        self.ordered = ordered
        self.columns = columns
        self._ends = np.array([0.0, *edges, 1.0])
        self.masses: Array = np.diff(self._ends)
        """The probability of each value under a uniform draw."""
        self.middles: Array = 0.5 * (self._ends[1:] + self._ends[:-1])
        """The middle of each value's share of the interval."""

    def index(self, unit: Any) -> Any:
        """Return which value a point of the interval is, or each of an array of points."""
        return np.searchsorted(self.edges, unit, side="right")

    def table(self, *, kernels: int, width: float) -> Array:
        """Return the probabilities of all values under each value's kernel, row by row."""
        count = len(self.masses)
        if not self.ordered:
            # One observation of the choice, and one in all that is spread evenly.
            return (np.eye(count) + 1.0 / kernels) / (1.0 + count / kernels)
        below = ndtr((self._ends - self.middles[:, None]) / width)
        mass = np.maximum(below[:, 1:] - below[:, :-1], _LEAST_MASS)
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
        self.values: dict[int, Values] = {}
        self.features = 3 * len(self.real)
        for index, domain in enumerate(domains):
            if finite[index]:
                columns = slice(self.features, self.features + int(domain.size))
                ordered = not isinstance(domain, Categorical)
                self.values[index] = Values(_edges(domain), ordered=ordered, columns=columns)
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


def _edges(domain: Domain) -> Array:
    """Return where the shares of a finite domain's values meet."""
    count = int(domain.size)
    if isinstance(domain, Int) and domain.log:
        between = np.log(np.arange(domain.low, domain.high) + 0.5)
        low, high = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
        return (between - low) / (high - low)  # type: ignore[no-any-return]
    return np.arange(1, count) / count
