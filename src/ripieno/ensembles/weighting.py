"""Weights on the simplex: the best weighted mean there is on some rows.

Source: the iteration is expectation maximisation for the proportions of a mixture (Dempster,
Laird, Rubin, Maximum likelihood from incomplete data via the EM algorithm, 1977); for values,
non-negative least squares (Lawson and Hanson, Solving least squares problems, 1974).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.selection import of_truth

__all__ = ["best_proportions", "simplex_weights"]

_FAINTEST = 1e-4


def simplex_weights(library: Predictions, *, tolerance: float = 1e-4) -> NDArray[np.float64]:
    """Return the shares whose weighted mean has the lowest log loss, or squared error.

    Both are convex in the weights, so there is one lowest value, whatever the start. It fits
    the rows that it is given: use many rows, or few members.

    Args:
        library: Predictions on rows that no member was trained on.
        tolerance: How far the log loss may be above the lowest one, in nats.

    Returns:
        Shape ``(members,)``, of sum 1; members below a ten-thousandth are left out.
    """
    if library.task == "regression":
        weights = _least_squares(library)
    else:
        weights = best_proportions(of_truth(library), tolerance=tolerance)
    weights = np.where(weights < _FAINTEST, 0.0, weights)
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def best_proportions(
    likelihoods: NDArray[np.float64], *, tolerance: float = 1e-4, rounds: int = 5_000
) -> NDArray[np.float64]:
    """Return the weights that maximise ``mean ln(sum_m w_m p_m(row))``.

    Each round multiplies a member's weight by the mean of ``p_m / sum_j w_j p_j`` over the
    rows, which never lowers the likelihood. The logarithm is concave, so the largest such
    factor, less 1, bounds what there is still to gain: that is when it ends.

    Args:
        likelihoods: Of each row by each member, not negative, and positive for one member of
            each row at least; shape ``(members, rows)``. Rows may be scaled at will.
        tolerance: What may be left to gain, in nats.
        rounds: The most rounds.
    """
    members, rows = likelihoods.shape
    weights = np.full(members, 1 / members)
    for _ in range(rounds):
        factors = (likelihoods @ (1 / (weights @ likelihoods))) / rows
        if factors.max() - 1 <= tolerance:
            break
        weights *= factors
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _least_squares(library: Predictions) -> NDArray[np.float64]:
    """Return the shares of the lowest squared error, each column in its own spread.

    With ``sum w = 1`` the error of the mean is ``E w``, the mean of the errors. Minimising
    ``|E w|^2 + (sum w - 1)^2`` over ``w >= 0`` scales the same shares: for any direction the
    best scale is ``1 / (1 + q)`` and leaves ``q / (1 + q)``, which rises with ``q = |E w|^2``.
    """
    scale = library.targets.std(axis=0)
    errors = (library.probabilities - library.targets) / np.where(scale > 0, scale, 1.0)
    flat = errors.reshape(library.members, -1)
    flat = flat / max(float(np.sqrt((flat**2).sum(axis=1)).min()), 1e-12)
    stacked = np.concatenate([flat.T, np.ones((1, library.members))])
    weights, _ = nnls(stacked, np.append(np.zeros(flat.shape[1]), 1.0))
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares
