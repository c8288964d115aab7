"""What has tuned itself while a trial was trained, in a row of its metrics."""

from ripieno.records.outcome import Metrics

__all__ = ["is_tuned", "tuned_name", "tuned_of"]

_PREFIX = "tuned_"


def tuned_name(knob: str) -> str:
    """Return the name under which a row of metrics holds what a knob has become."""
    return _PREFIX + knob


def is_tuned(metric: str) -> bool:
    """Say whether a number in a row of metrics is no measurement but such a knob."""
    return metric.startswith(_PREFIX)


def tuned_of(metrics: Metrics) -> dict[str, float]:
    """Return the knobs that have tuned themselves, as they were at the end of the epoch."""
    return {n.removeprefix(_PREFIX): value for n, value in metrics.items() if is_tuned(n)}
