"""Sets of classes and intervals of values that hold the truth as often as was asked for.

Split conformal prediction: scores of held-out rows say how wrong answers usually are, and a new
answer is given as much room as a share of ``coverage`` of them would have needed. If old and
new rows are exchangeable, the truth is inside with at least that probability, whatever the
model. The rows must not have been used for training, selection or calibration.

Source: Papadopoulos et al., Inductive confidence machines for regression, ECML 2002; Romano,
Sesia, Candès, Classification with valid and adaptive coverage, NeurIPS 2020 (adaptive);
Angelopoulos et al., Uncertainty sets for image classifiers, ICLR 2021 (regularized).
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.ensembles.checks import checked_columns
from ripieno.ensembles.metrics import checked
from ripieno.errors import EnsembleError

__all__ = [
    "ConformalIntervals",
    "ConformalSets",
    "SetName",
    "conformal_quantile",
    "fit_intervals",
    "fit_sets",
]

SetName = Literal["threshold", "adaptive", "regularized"]
_FREE_CLASSES = 2
_PENALTY = 0.05


@dataclass(frozen=True, slots=True)
class ConformalSets:
    """Which classes are in the set of a row.

    Args:
        quantile: The highest score that is let in.
        coverage: How often the true class is in the set, at least.
        kind: How classes are scored; see :func:`fit_sets`.
    """

    quantile: float
    coverage: float
    kind: SetName

    def predict(self, probabilities: ArrayLike) -> NDArray[np.bool_]:
        """Return whether each class is in each row's set, shape ``(rows, classes)``.

        The likeliest class always is.
        """
        p = np.asarray(probabilities, dtype=np.float64)
        inside: NDArray[np.bool_] = _class_scores(p, self.kind) <= self.quantile
        inside[np.arange(len(p)), p.argmax(axis=1)] = True
        return inside


@dataclass(frozen=True, slots=True, eq=False)
class ConformalIntervals:
    """How far a value may be from what is predicted.

    Args:
        widths: Half the width of each column's interval, in units of the spread where there is
            one, shape ``(columns,)``.
        coverage: How often the true value is inside, at least, column by column.
    """

    widths: NDArray[np.float64]
    coverage: float

    def predict(
        self, values: ArrayLike, *, spread: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and upper ends, each of shape ``(rows, columns)``.

        Args:
            values: Predicted values, shape ``(rows, columns)`` or ``(rows,)``.
            spread: Their standard deviations, same shape, if the intervals were fitted so.
        """
        centre = np.asarray(values, dtype=np.float64)
        centre = centre[:, None] if centre.ndim == 1 else centre
        half = self.widths * _spread(spread, centre)
        return centre - half, centre + half


def fit_sets(
    probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    coverage: float = 0.9,
    kind: SetName = "threshold",
) -> ConformalSets:
    """Learn which classes to name so that the true one is among them.

    Args:
        probabilities: Shape ``(rows, classes)``.
        targets: Number of the true class, shape ``(rows,)``.
        coverage: How often the true class is to be in the set.
        kind: ``threshold`` scores a class by one minus its probability: the smallest sets on
            average. ``adaptive`` scores it by the probability of all that are as likely or
            likelier: larger sets for harder rows. ``regularized`` adds 0.05 for each rank
            beyond the second, so that no set is very long.

    Raises:
        EnsembleError: The shapes do not match, there is no such kind, or there are too few
            rows for the coverage.
    """
    p, y = checked(probabilities, targets)
    if kind not in get_args(SetName):
        raise EnsembleError(
            f"kind = {kind!r} is not known.",
            where="fit_sets",
            fix=f"use one of {', '.join(get_args(SetName))}.",
        )
    scores = _class_scores(p.astype(np.float64), kind)[np.arange(len(y)), y]
    return ConformalSets(conformal_quantile(scores, coverage), coverage, kind)


def fit_intervals(
    values: ArrayLike,
    targets: ArrayLike,
    *,
    coverage: float = 0.9,
    spread: ArrayLike | None = None,
) -> ConformalIntervals:
    """Learn how wide intervals about predicted values must be.

    Args:
        values: Predicted values, shape ``(rows, columns)`` or ``(rows,)``.
        targets: True values, same shape.
        coverage: How often the true value is to be inside.
        spread: Standard deviations of the predictions, same shape: intervals are then as wide
            as the models disagree. Equally wide everywhere where absent.

    Raises:
        EnsembleError: The shapes do not match, a spread is not positive, or there are too few
            rows for the coverage.
    """
    p, y = checked_columns(values, targets, task="regression")
    errors = np.abs(p - y) / _spread(spread, p)
    widths = [conformal_quantile(column, coverage) for column in errors.T]
    return ConformalIntervals(np.array(widths), coverage)


def conformal_quantile(scores: ArrayLike, coverage: float) -> float:
    """Return the ``ceil((n + 1) coverage)``-th smallest of ``n`` scores.

    Raises:
        EnsembleError: The coverage is no share, or needs more rows than there are.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    if not 0 < coverage < 1:
        raise EnsembleError(
            f"coverage = {coverage} is no share.",
            where="a conformal prediction",
            fix="use a number between 0 and 1, for example 0.9.",
        )
    # Rounded first: (9 + 1) * 0.9 is 9.000000000000002 in some orders of arithmetic.
    rank = math.ceil(round((len(ordered) + 1) * coverage, 9))
    if rank > len(ordered):
        raise EnsembleError(
            f"{len(ordered)} rows are too few for a coverage of {coverage}.",
            where="a conformal prediction",
            fix=f"use {math.ceil(round(coverage / (1 - coverage), 9))} rows or more, or a lower "
            "coverage.",
        )
    return float(ordered[rank - 1])


def _class_scores(p: NDArray[np.float64], kind: SetName) -> NDArray[np.float64]:
    """Return the score of every class of every row; the lower, the likelier."""
    if kind == "threshold":
        return 1.0 - p
    order = np.argsort(-p, axis=1, kind="stable")
    sums = np.cumsum(np.take_along_axis(p, order, axis=1), axis=1)
    if kind == "regularized":
        ranks = np.arange(1, p.shape[1] + 1)
        sums = sums + _PENALTY * np.maximum(ranks - _FREE_CLASSES, 0)
    scores = np.empty_like(sums)
    np.put_along_axis(scores, order, sums, axis=1)
    return scores


def _spread(spread: ArrayLike | None, like: NDArray[np.float64]) -> NDArray[np.float64]:
    if spread is None:
        return np.ones_like(like)
    given = np.asarray(spread, dtype=np.float64)
    given = given[:, None] if given.ndim == 1 else given
    if given.shape != like.shape or not (given > 0).all():
        raise EnsembleError(
            f"spreads of the shape {given.shape} do not fit values of the shape {like.shape}.",
            where="a conformal interval",
            fix="pass one positive standard deviation for each value.",
        )
    return given
