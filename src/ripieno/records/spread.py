"""How far the models of one trial lie apart: a metric beside its mean."""

import math

from ripieno.records.outcome import Metrics

__all__ = ["spread_name", "spread_of"]


def spread_name(metric: str) -> str:
    """Return the name under which a row of metrics holds the spread of another metric.

    It is the standard deviation over a trial's models, one for each fold and repeated seed.
    """
    return f"{metric}_spread"


def spread_of(metrics: Metrics, metric: str) -> float | None:
    """Return the spread of a metric in a row, or None where the trial is one model."""
    spread = metrics.get(spread_name(metric), math.nan)
    return None if math.isnan(spread) else spread
