"""Where a learning curve is going, in closed form.

A curve is modelled as ``y(t) = a + b * shape(t) + noise``, with a shape that falls from about
1 to 0: a power ``(1 + t / s)^-c``, a pure power ``t^-c`` or an exponential ``exp(-t / tau)``.
For a given shape and noise the level ``a`` and the fall ``b`` have normal priors, so that
their posterior and the evidence are those of Bayesian linear regression in two unknowns; a
grid of shapes and noises is averaged with the evidence as weights. So a forecast has no
iterations and no draws, and its spread says both how noisy the curve is and how many shapes
still fit it. No real curve is of the family, and what it differs by is not independent from
epoch to epoch: all epochs together therefore count for ten observations at most.

Source: T. Domhan, J. T. Springenberg, F. Hutter, "Speeding Up Automatic Hyperparameter
Optimization of Deep Neural Networks by Extrapolation of Learning Curves", IJCAI 2015 (the
average over parametric shapes, there by MCMC); C. M. Bishop, "Pattern Recognition and Machine
Learning", 2006, Eqs. (3.50), (3.51), (3.58) and (3.86) (the regression).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOISES", "Forecast", "expected_improvement", "forecast", "posteriors"]

_POWERS = (0.25, 0.5, 1.0, 2.0)
_DELAYS = (2.0, 8.0, 32.0)
_HALVINGS = range(1, 7)  # tau is the horizon divided by 2, 4, …, 64
NOISES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Standard deviations of the noise that are averaged over, in scales."""
_MOST_OBSERVATIONS = 10
_LEVEL_SD = 1.0
_FALL_SD = 2.0
_FAR = 20.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a curve will be at the horizon: mean and standard deviation."""

    mean: float
    sd: float


def forecast(
    values: Sequence[float], *, horizon: int, location: float, scale: float, first: int = 1
) -> Forecast:
    """Extrapolate a curve to the horizon.

    Args:
        values: One value an epoch, finite, at least one. What lies before the last value that
            is further than 20 scales from the location is left out: it is a start that no
            shape continues.
        horizon: The epoch that is asked for. A curve that is there already is known.
        location: A usual value of such curves at their ends, the prior mean of the level.
        scale: How far below the location good curves end, above 0: the prior's standard
            deviation of the level, and half of that of the fall.
        first: Epoch of the first value.
    """
    last = first + len(values) - 1
    if last >= horizon:
        return Forecast(values[-1], 0.0)
    z = (np.asarray(values, np.float64) - location) / scale
    begin = int(np.max(np.flatnonzero(np.abs(z) > _FAR), initial=-1)) + 1
    begin = min(begin, len(z) - 1)
    z = np.clip(z[begin:], -_FAR, _FAR)
    epochs = np.arange(first + begin, last + 1, dtype=np.float64)
    mean, variance, weight = posteriors(
        z, shapes=_shapes(epochs, horizon), ends=_shapes(np.array([float(horizon)]), horizon)[:, 0]
    )
    overall = float(np.sum(weight * mean))
    spread = float(np.sum(weight * (variance + (mean - overall) ** 2)))
    return Forecast(location + scale * overall, scale * math.sqrt(spread))


def expected_improvement(mean: float, sd: float, best: float) -> float:
    """Return by how much a normal variable lies below ``best``, on average; never negative.

    Source: J. Mockus, V. Tiesis, A. Zilinskas, "The application of Bayesian methods for
    seeking the extremum", 1978.
    """
    if sd <= 0.0:
        return max(best - mean, 0.0)
    z = (best - mean) / sd
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return max(sd * (z * 0.5 * math.erfc(-z / math.sqrt(2.0)) + density), 0.0)


def _shapes(epochs: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Return all shapes at some epochs, shape ``(shapes, points)``."""
    rows = [epochs**-power for power in _POWERS]
    rows += [(1.0 + epochs / delay) ** -power for power in _POWERS for delay in _DELAYS]
    rows += [np.exp(-epochs * 2.0**halving / horizon) for halving in _HALVINGS]
    return np.stack(rows)


def posteriors(
    z: NDArray[np.float64], *, shapes: NDArray[np.float64], ends: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean, variance and weight of each shape and noise, ``(shapes, noises)``.

    Args:
        z: The curve in scales, shape ``(points,)``.
        shapes: Of the same epochs, shape ``(shapes, points)``.
        ends: The shapes at the horizon, shape ``(shapes,)``.
    """
    points = len(z)
    counted = min(points, _MOST_OBSERVATIONS)
    precision = np.array(NOISES) ** -2.0 * counted / points
    end = ends[:, None]
    # Precision matrix [[p, q], [q, s]] and right-hand side (u, v) of (a, b).
    p = _LEVEL_SD**-2 + points * precision
    q = shapes.sum(axis=1)[:, None] * precision
    s = _FALL_SD**-2 + (shapes**2).sum(axis=1)[:, None] * precision
    u = z.sum() * precision
    v = (shapes @ z)[:, None] * precision
    determinant = p * s - q**2
    level = (s * u - q * v) / determinant  # Eq. (3.50)
    fall = (p * v - q * u) / determinant
    mean = level + fall * end
    variance = (s - 2.0 * q * end + p * end**2) / determinant  # Eq. (3.58), without the noise
    evidence = -0.5 * (  # Eq. (3.86), less what all have in common
        np.log(determinant)
        - counted * np.log(precision)
        + (z @ z) * precision
        - (level * u + fall * v)
    )
    weight = np.exp(evidence - evidence.max())
    return mean, variance, weight / weight.sum()
