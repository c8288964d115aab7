"""Whether models that say 90 % are right nine times in ten."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.ensembles.metrics import checked
from ripieno.errors import EnsembleError

__all__ = [
    "ReliabilityCurve",
    "classwise_calibration_error",
    "expected_calibration_error",
    "reliability_curve",
]


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityCurve:
    """How often rows are right, by how sure the model was. Bins without a row are left out.

    Args:
        confidence: Mean probability of the likeliest class, shape ``(bins,)``, ascending.
        accuracy: Share of rows whose likeliest class is the true one, shape ``(bins,)``.
        counts: Rows in the bin, int64, shape ``(bins,)``.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    counts: NDArray[np.int64]


def reliability_curve(
    probabilities: ArrayLike, targets: ArrayLike, *, bins: int = 15, adaptive: bool = False
) -> ReliabilityCurve:
    """Sort rows into bins by the probability of their likeliest class.

    Args:
        probabilities: Shape ``(rows, classes)``.
        targets: Number of the true class, shape ``(rows,)``.
        bins: How many bins, at least one.
        adaptive: Bins of equally many rows (within one) instead of equal width on [0, 1].
            A bin of equal width holds its upper edge, not its lower one.

    Raises:
        EnsembleError: ``bins`` is below 1 or the shapes do not match.
    """
    p, y = checked(probabilities, targets)
    _check_bins(bins, "reliability_curve")
    return _curve(p.max(axis=1), p.argmax(axis=1) == y, bins=bins, adaptive=adaptive)


def _curve(
    said: NDArray[Any], right: NDArray[np.bool_], *, bins: int, adaptive: bool
) -> ReliabilityCurve:
    """Sort rows into bins by what was said of them, shape ``(rows,)``."""
    confidence = said.astype(np.float64)
    rows = len(confidence)
    if adaptive:
        # The rank of a row times bins / rows: no bin differs by more than one row.
        ranks = np.empty(rows, dtype=np.int64)
        ranks[np.argsort(confidence, kind="stable")] = np.arange(rows)
        index = ranks * bins // rows
    else:
        index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    filled = np.flatnonzero(counts)
    kept = counts[filled]
    return ReliabilityCurve(
        confidence=np.bincount(index, weights=confidence, minlength=bins)[filled] / kept,
        accuracy=np.bincount(index, weights=right, minlength=bins)[filled] / kept,
        counts=kept,
    )


def expected_calibration_error(
    probabilities: ArrayLike, targets: ArrayLike, *, bins: int = 15, adaptive: bool = False
) -> float:
    """Return the mean distance between confidence and accuracy over bins, weighted by rows.

    It depends on ``bins`` and is biased upwards on few rows: compare only values of the same
    bins and the same rows. ``adaptive`` uses bins of equally many rows, which is steadier
    where nearly all rows are predicted with confidence near 1.

    Raises:
        EnsembleError: ``bins`` is below 1 or the shapes do not match.

    Source: Guo, Pleiss, Sun, Weinberger, On calibration of modern neural networks, ICML 2017;
    adaptive: Nixon et al., Measuring calibration in deep learning, CVPR workshops 2019.
    """
    return _error(reliability_curve(probabilities, targets, bins=bins, adaptive=adaptive))


def classwise_calibration_error(
    probabilities: ArrayLike, targets: ArrayLike, *, bins: int = 15, adaptive: bool = False
) -> float:
    """Return the calibration error of every class's probability, the mean over the classes.

    The other calibration error looks at the likeliest class alone; this one looks at what is
    said of each class, likely or not.

    Raises:
        EnsembleError: ``bins`` is below 1 or the shapes do not match.

    Source: Kull et al., Beyond temperature scaling, NeurIPS 2019.
    """
    p, y = checked(probabilities, targets)
    _check_bins(bins, "classwise_calibration_error")
    classes = range(p.shape[1])
    curves = [_curve(p[:, c], y == c, bins=bins, adaptive=adaptive) for c in classes]
    return float(np.mean([_error(curve) for curve in curves]))


def _error(curve: ReliabilityCurve) -> float:
    share = curve.counts / curve.counts.sum()
    return float(share @ np.abs(curve.accuracy - curve.confidence))


def _check_bins(bins: int, where: str) -> None:
    if bins < 1:
        raise EnsembleError(
            f"bins = {bins} sorts nothing.", where=where, fix="use at least one bin."
        )
