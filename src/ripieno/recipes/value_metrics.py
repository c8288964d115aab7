"""How good predicted values are, by scikit-learn's definitions.

Targets and values have the shape ``(rows,)`` or ``(rows, columns)`` and are in the target's own
units; over several columns the mean is returned, each column counting alike.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["mae", "mape", "pinball", "r2", "rmse"]

Floats = NDArray[np.floating]

_SMALL = float(np.finfo(np.float64).eps)


def rmse(y: Floats, values: Floats) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(((y - values) ** 2).mean(axis=0)).mean())


def mae(y: Floats, values: Floats) -> float:
    """Return the mean absolute error."""
    return float(np.abs(y - values).mean())


def r2(y: Floats, values: Floats) -> float:
    """Return the share of the variance that is explained; below 0 it is worse than the mean.

    Of a constant target it is 1 where every value is right, and else 0.
    """
    left = ((y - values) ** 2).sum(axis=0)
    whole = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    constant = np.where(left == 0, 1.0, 0.0)
    explained = 1 - left / np.where(whole == 0, 1.0, whole)
    return float(np.where(whole == 0, constant, explained).mean())


def mape(y: Floats, values: Floats) -> float:
    """Return the mean of the errors as shares of the targets; huge where a target is near 0."""
    return float((np.abs(y - values) / np.maximum(np.abs(y), _SMALL)).mean())


def pinball(y: Floats, values: Floats, *, level: float = 0.5) -> float:
    """Return the loss that the quantile of this level minimizes.

    Args:
        y: Targets.
        values: Predicted quantiles.
        level: Share of the targets that are to lie below.
    """
    error = y - values
    return float(np.maximum(level * error, (level - 1) * error).mean())
