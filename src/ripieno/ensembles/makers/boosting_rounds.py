"""The arithmetic of AdaBoost: what a round makes of the rows' weights.

Sources: Zhu, Zou, Rosset, Hastie, "Multi-class AdaBoost", 2009 (SAMME, SAMME.R); Drucker,
"Improving regressors using boosting techniques", ICML 1997 (R2).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["R2Loss", "Round", "r2", "samme", "samme_r"]

R2Loss = Literal["linear", "square", "exponential"]
Floats = NDArray[np.floating[Any]]
_NOISE = 1e-12  # of a sum of weights
_SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """What a member is worth, and what the next one has to look at.

    Args:
        error: The member's weighted error.
        weight: What it counts in the ensemble; None where it is no better than chance.
        rows: The rows' weights of the next round, of sum 1.
        last: Whether boosting ends with it: it is perfect, or no better than chance.
    """

    error: float
    weight: float | None
    rows: NDArray[np.float64]
    last: bool = False


def samme(u: Floats, right: NDArray[np.bool_], *, classes: int, rate: float = 1.0) -> Round:
    """Return a round of SAMME.

    Args:
        u: The rows' weights, of sum 1.
        right: Which rows the member is right on.
        classes: How many there are.
        rate: What the member's weight is multiplied with.
    """
    error = float(u[~right].sum())
    if error <= 0:
        return Round(0.0, 1.0, np.asarray(u, dtype=np.float64), last=True)
    if error >= 1 - 1 / classes - _NOISE:
        return Round(error, None, np.asarray(u, dtype=np.float64), last=True)
    weight = rate * (np.log((1 - error) / error) + np.log(classes - 1))
    return Round(error, float(weight), _normal(u * np.exp(weight * ~right)))


def samme_r(u: Floats, p: Floats, y: NDArray[np.int64], *, rate: float = 1.0) -> Round:
    """Return a round of SAMME.R; every member counts alike.

    Args:
        u: The rows' weights, of sum 1.
        p: The member's probabilities, ``(rows, classes)``.
        y: Classes, ``(rows,)``.
        rate: How fast the rows' weights change.
    """
    classes = p.shape[1]
    error = float(u[p.argmax(axis=1) != y].sum())
    if error <= 0:
        return Round(0.0, 1.0, np.asarray(u, dtype=np.float64), last=True)
    coded = np.where(np.arange(classes) == y[:, None], 1.0, -1.0 / (classes - 1))
    logs = np.log(np.clip(p.astype(np.float64), _SMALLEST, None))
    moved = u * np.exp(-rate * (classes - 1) / classes * (coded * logs).sum(axis=1))
    return Round(error, 1.0, _normal(moved))


def r2(u: Floats, distance: Floats, *, loss: R2Loss = "linear", rate: float = 1.0) -> Round:
    """Return a round of AdaBoost.R2.

    Args:
        u: The rows' weights, of sum 1.
        distance: How far the member's values are from the targets, ``(rows,)``, at least 0.
        loss: What a row's loss is made of: its distance as a share of the largest one, the
            square of that, or ``1 - exp(-share)``.
        rate: What the member's weight is multiplied with.
    """
    largest = float(distance[u > 0].max())
    if largest <= 0:
        return Round(0.0, 1.0, np.asarray(u, dtype=np.float64), last=True)
    share = distance / largest
    losses = {"linear": share, "square": share**2, "exponential": 1 - np.exp(-share)}[loss]
    error = float((u * losses).sum())
    if error >= 0.5:
        return Round(error, None, np.asarray(u, dtype=np.float64), last=True)
    beta = error / (1 - error)
    return Round(error, float(-rate * np.log(beta)), _normal(u * beta ** ((1 - losses) * rate)))


def _normal(u: Floats) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.asarray(u / u.sum(), dtype=np.float64)
    return found
