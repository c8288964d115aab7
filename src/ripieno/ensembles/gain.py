"""Whether an ensemble is really better than the best single model."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.ensembles.metrics import SMALLEST, checked
from ripieno.errors import EnsembleError

__all__ = ["Gain", "gain_interval"]

_CHUNK = 2_000_000


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better one model is than another on the same rows; positive is better.

    Args:
        value: The gain on these rows: a lower log loss or Brier score, a higher accuracy.
        low: Lower end of the interval.
        high: Upper end of the interval.
        metric: What was measured.
        confidence: How often such an interval holds the true gain, about.
    """

    value: float
    low: float
    high: float
    metric: str
    confidence: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out, so that the difference is hardly chance."""
        return self.low > 0 or self.high < 0


def gain_interval(
    single: ArrayLike,
    ensemble: ArrayLike,
    targets: ArrayLike,
    *,
    metric: Literal["log_loss", "accuracy", "brier"] = "log_loss",
    confidence: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Gain:
    """Measure an ensemble against a single model, with a paired bootstrap interval.

    The rows are drawn again with replacement, the same ones for both models, and the gain is
    measured each time; the interval holds the middle ``confidence`` of these gains. Use rows
    that neither the search nor the selection has seen.

    Args:
        single: Probabilities of the single model, shape ``(rows, classes)``.
        ensemble: Probabilities of the ensemble on the same rows, same shape.
        targets: Number of the true class, shape ``(rows,)``.
        metric: What to measure.
        confidence: Between 0 and 1.
        resamples: How often the rows are drawn again.
        seed: Seed of the draws.

    Raises:
        EnsembleError: The shapes do not match, or an argument is out of range.

    Source: Efron, Bootstrap methods: another look at the jackknife, 1979 (percentile form).
    """
    _check(metric, confidence, resamples)
    better = _row_scores(ensemble, targets, metric) - _row_scores(single, targets, metric)
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // len(better))
    means = np.concatenate(
        [
            better[rng.integers(len(better), size=(min(chunk, resamples - done), len(better)))]
            .mean(axis=1)
            for done in range(0, resamples, chunk)
        ]
    )  # fmt: skip
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Gain(float(better.mean()), float(low), float(high), metric, confidence)


def _row_scores(probabilities: ArrayLike, targets: ArrayLike, metric: str) -> NDArray[np.float64]:
    """Return one number a row whose mean is the metric, turned so that more is better."""
    p, y = checked(probabilities, targets)
    p = p.astype(np.float64)
    of_truth = p[np.arange(len(y)), y]
    scores: NDArray[np.float64]
    if metric == "log_loss":
        scores = np.log(np.clip(of_truth, SMALLEST, 1.0))
    elif metric == "accuracy":
        scores = (p.argmax(axis=1) == y).astype(np.float64)
    else:
        # Σ (p - onehot)² = Σ p² - 2 p(y) + 1
        scores = 2 * of_truth - (p**2).sum(axis=1) - 1
    return scores


def _check(metric: str, confidence: float, resamples: int) -> None:
    if metric not in {"log_loss", "accuracy", "brier"}:
        problem = f"metric = {metric!r} has no mean over rows here."
    elif not 0 < confidence < 1:
        problem = f"confidence = {confidence} is not between 0 and 1."
    elif resamples < 1:
        problem = f"resamples = {resamples} draws nothing."
    else:
        return
    raise EnsembleError(
        problem,
        where="gain_interval",
        fix="use metric='log_loss', 'accuracy' or 'brier', 0 < confidence < 1, resamples >= 1.",
    )
