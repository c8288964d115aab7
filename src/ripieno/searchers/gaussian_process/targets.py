"""Observed numbers as the model is fitted to them: less is better, about nought, of width one."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["signed", "standardized"]

Column = NDArray[np.float64]

_REACH = 1.0


def standardized(badness: Column) -> Column:
    """Return targets of mean 0 and variance 1, in the sequence of the numbers.

    What is worse than the median is drawn in, logarithmically: a loss of 1e9 says that a
    config is bad, and must not make all others look alike. What is better is left as it is.

    Args:
        badness: Less is better, shape ``(rows,)``. What is not finite failed, and counts as
            the worst that was seen.
    """
    finite = np.isfinite(badness)
    if not finite.any():
        return np.zeros_like(badness)
    targets = _drawn_in(np.where(finite, badness, badness[finite].max()))
    spread = float(targets.std())
    centered: Column = targets - targets.mean()
    return centered / (spread if spread > 0.0 else 1.0)


def signed(excess: Column) -> Column:
    """Return targets of a limit: what keeps it is negative, what breaks it positive.

    Args:
        excess: How far beyond the limit, shape ``(rows,)``. What is not finite failed, and
            counts as the worst that was seen.
    """
    finite = np.isfinite(excess)
    if not finite.any():
        return np.zeros_like(excess)
    width = float(np.median(np.abs(excess[finite])))
    drawn: Column = np.arcsinh(np.where(finite, excess, excess[finite].max()) / (width or 1.0))
    return drawn


def _drawn_in(values: Column) -> Column:
    """Bend the upper half to a logarithm, with the slope of the lower half where they meet."""
    middle = float(np.median(values))
    reach = _REACH * (middle - float(values.min()))
    if reach <= 0.0:
        return values
    beyond: Column = np.maximum(values - middle, 0.0)
    better: Column = np.minimum(values, middle)
    return better + reach * np.log1p(beyond / reach)
