"""A column of numbers made normal by its own quantiles, with a small stored array.

Source: scikit-learn, ``sklearn.preprocessing.QuantileTransformer`` with
``output_distribution="normal"``. Its numbers are these, but for a smallest or largest value
that many rows share, such as the zeros of a column that mostly holds zeros: scikit-learn sends
them to the far end, and here they stand in the middle of their places, as any other value does.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_QUANTILES", "normal_scores", "quantiles"]

MOST_QUANTILES = 256
"""Quantiles of a column that are stored at most."""

_ROWS_A_QUANTILE = 30
_FEWEST_QUANTILES = 10
_NARROW = 1e-7
"""Nothing is further out than the normal scores of this and of one minus it: 5.2."""


def quantiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return evenly spaced quantiles of the values, ascending, the first and last included.

    Args:
        values: The training part's, finite, shape ``(rows,)``.
    """
    count = min(max(len(values) // _ROWS_A_QUANTILE, _FEWEST_QUANTILES), MOST_QUANTILES)
    found = np.quantile(values, np.linspace(0.0, 1.0, min(count, len(values))))
    # Interpolation may step back by a rounding; what is stored must ascend.
    ascending: NDArray[np.float64] = np.maximum.accumulate(found)
    return ascending


def normal_scores(values: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the normal score of each value's place among the stored quantiles.

    A value that many training rows share stands in the middle of their places; one beyond
    all of them gets the score of the outermost.

    Args:
        values: Finite, shape ``(rows,)``.
        known: What :func:`quantiles` returned.
    """
    # Loading scipy.special takes a quarter of a second, which only tables need to pay.
    from scipy.special import ndtri

    places = np.linspace(0.0, 1.0, len(known))
    rising = np.interp(values, known, places)
    falling = np.interp(-values, -known[::-1], -places[::-1])
    place = 0.5 * (rising - falling)
    scores: NDArray[np.float64] = ndtri(np.clip(place, _NARROW, 1.0 - _NARROW))
    return scores
