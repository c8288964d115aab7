"""A distribution over the configs of a space whose parameters have a gradient.

Every hyperparameter is drawn for itself: a number from a normal distribution on the unit
interval, a choice or a number of few values from a softmax. Parameters are one flat vector:
the means, the logarithms of the standard deviations, the logits.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ripieno.searchers.layout import Layout
from ripieno.space import Space

__all__ = ["Policy"]

Array = NDArray[np.float64]

_FIRST_SD = 0.25
_SDS = (0.02, 0.5)


class Policy:
    """A factorised distribution over a space.

    Args:
        space: What it is over.
        mean: Where the normal distributions begin, shape ``(dims,)``.
    """

    def __init__(self, space: Space, mean: Array) -> None:
        self._layout = Layout(space)
        self._reals = len(self._layout.real)
        # A layout's features of values are 3 reals further on than ours are 2.
        self.parameters = np.zeros(self._layout.features - self._reals)
        self.parameters[: self._reals] = mean[self._layout.real]
        self.parameters[self._reals : 2 * self._reals] = math.log(_FIRST_SD)

    def sample(self, rng: np.random.Generator) -> Array:
        """Draw a point of the unit cube, shape ``(dims,)``, cut off at its faces."""
        point = rng.random(self._layout.dims)
        mean, sd = self._normal()
        point[self._layout.real] = np.clip(rng.normal(mean, sd), 0.0, 1.0)
        for index, values in self._layout.values.items():
            chance = self._softmax(values.columns)
            chosen = int(np.searchsorted(chance.cumsum(), point[index]))
            point[index] = values.middles[min(chosen, len(chance) - 1)]
        return point

    def log_probability(self, point: Array, active: NDArray[np.bool_]) -> float:
        """Return the logarithm of the density of a point's active coordinates."""
        mean, sd = self._normal()
        z = (point[self._layout.real] - mean) / sd
        logs = -0.5 * z**2 - np.log(sd) - 0.5 * math.log(2.0 * math.pi)
        total = float(logs[active[self._layout.real]].sum())
        for index, values in self._layout.values.items():
            if active[index]:
                total += math.log(self._softmax(values.columns)[values.index(point[index])])
        return total

    def score(self, point: Array, active: NDArray[np.bool_]) -> Array:
        """Return the gradient of :meth:`log_probability` by the parameters."""
        mean, sd = self._normal()
        z = (point[self._layout.real] - mean) / sd
        counted = active[self._layout.real]
        gradient = np.zeros_like(self.parameters)
        gradient[: self._reals] = np.where(counted, z / sd, 0.0)
        gradient[self._reals : 2 * self._reals] = np.where(counted, z**2 - 1.0, 0.0)
        for index, values in self._layout.values.items():
            if active[index]:
                columns = self._own(values.columns)
                gradient[columns] = -self._softmax(values.columns)
                gradient[columns.start + values.index(point[index])] += 1.0
        return gradient

    def entropy(self) -> float:
        """Return the entropy, all hyperparameters counted."""
        _, sd = self._normal()
        total = float(np.log(sd).sum()) + self._reals * 0.5 * math.log(2.0 * math.pi * math.e)
        for values in self._layout.values.values():
            chance = self._softmax(values.columns)
            total -= float(chance @ np.log(chance))
        return total

    def entropy_gradient(self) -> Array:
        """Return the gradient of :meth:`entropy` by the parameters."""
        gradient = np.zeros_like(self.parameters)
        gradient[self._reals : 2 * self._reals] = 1.0
        for values in self._layout.values.values():
            chance = self._softmax(values.columns)
            surprise = -np.log(chance)
            gradient[self._own(values.columns)] = chance * (surprise - chance @ surprise)
        return gradient

    def step(self, direction: Array, *, rate: float) -> None:
        """Go up a gradient, each parameter in units of its own effect.

        The gradient of a mean grows as the distribution narrows, and that of a logit is small
        where there are many values. Divided by the Fisher information (of a softmax: by that
        of the even one), all parameters move the distribution alike.
        """
        self.parameters += rate * direction / self.information()
        means, sds = slice(0, self._reals), slice(self._reals, 2 * self._reals)
        self.parameters[means] = np.clip(self.parameters[means], 0.0, 1.0)
        self.parameters[sds] = np.clip(self.parameters[sds], *np.log(_SDS))

    def information(self) -> Array:
        """Return the diagonal of the Fisher information, for a softmax that of the even one."""
        _, sd = self._normal()
        fisher = np.ones_like(self.parameters)
        fisher[: self._reals] = sd**-2.0
        fisher[self._reals : 2 * self._reals] = 2.0
        for values in self._layout.values.values():
            even = 1.0 / len(values.middles)
            # A single value has no information, and no gradient that could be divided by it.
            fisher[self._own(values.columns)] = even * (1.0 - even) or 1.0
        return fisher

    def _normal(self) -> tuple[Array, Array]:
        """Return the means and the standard deviations of the numbers."""
        mean, log_sd = self.parameters[: 2 * self._reals].reshape(2, -1)
        return mean, np.exp(log_sd)

    def _own(self, columns: slice) -> slice:
        return slice(columns.start - self._reals, columns.stop - self._reals)

    def _softmax(self, columns: slice) -> Array:
        logits = self.parameters[self._own(columns)]
        chance = np.exp(logits - logits.max())
        return chance / chance.sum()  # type: ignore[no-any-return]
