"""What is measured on the validation part."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAXIMIZED", "METRICS", "accuracy", "log_loss", "measure"]

_TINY = float(np.finfo(np.float32).tiny)


def log_loss(log_probabilities: NDArray[np.floating], y: NDArray[np.int64]) -> float:
    """Return the mean negative log-probability of the right class.

    Args:
        log_probabilities: Shape ``(rows, classes)``; nothing is clipped.
        y: Right classes, shape ``(rows,)``.
    """
    right = np.take_along_axis(log_probabilities, y[:, None], axis=1)
    return float(-right.mean(dtype=np.float64))


def accuracy(log_probabilities: NDArray[np.floating], y: NDArray[np.int64]) -> float:
    """Return the share of rows whose most probable class is right; the first one on a tie."""
    return float((log_probabilities.argmax(axis=1) == y).mean())


METRICS: Mapping[str, Callable[[NDArray[np.floating], NDArray[np.int64]], float]] = (
    MappingProxyType({"log_loss": log_loss, "accuracy": accuracy})
)
"""Metrics by name: functions of log-probabilities ``(rows, classes)`` and classes ``(rows,)``."""

MAXIMIZED = frozenset({"accuracy"})
"""The metrics of which more is better."""


def measure(probabilities: NDArray[np.floating], y: NDArray[np.int64]) -> dict[str, float]:
    """Measure probabilities, shape ``(rows, classes)``, against the right classes ``(rows,)``.

    A probability below the smallest normal float32, where float32 probabilities lose their
    digits, counts as that number, so that the log loss stays finite.
    """
    logs = np.log(np.maximum(probabilities.astype(np.float64), _TINY))
    return {name: metric(logs, y) for name, metric in METRICS.items()}
