"""What has tuned itself while a trial was trained, in a row of its metrics."""

from collections.abc import Iterable, Sequence

from ripieno.records.outcome import Metrics

__all__ = ["is_tuned", "tuned_metrics", "tuned_name", "tuned_of", "tuned_spans"]

_PREFIX = "tuned_"
_PART = "["


def tuned_name(knob: str, part: object = None) -> str:
    """Return the name under which a row of metrics holds what a knob has become.

    Args:
        knob: Its name.
        part: The class, label or layer that the number is for, of a knob that is several.
    """
    return _PREFIX + knob + ("" if part is None else f"{_PART}{part}]")


def tuned_metrics(
    knob: str, value: float | Sequence[float], parts: Iterable[object]
) -> dict[str, float]:
    """Return what a row of metrics holds of a knob: one number, or one for each part.

    Args:
        knob: Its name.
        value: What it has become.
        parts: The classes, labels or layers that several numbers are for.
    """
    if not isinstance(value, Sequence):
        return {tuned_name(knob): value}
    pairs = zip(parts, value, strict=True)
    return {tuned_name(knob, part): number for part, number in pairs}


def is_tuned(metric: str) -> bool:
    """Say whether a number in a row of metrics is no measurement but such a knob."""
    return metric.startswith(_PREFIX)


def tuned_of(metrics: Metrics) -> dict[str, float]:
    """Return the knobs that have tuned themselves, as they were at the end of the epoch.

    A knob that is several numbers has an entry for each: ``class_weights[cat]``.
    """
    return {n.removeprefix(_PREFIX): value for n, value in metrics.items() if is_tuned(n)}


def tuned_spans(metrics: Metrics) -> dict[str, str]:
    """Return the same in short, by knob: ``0.012``, of several numbers ``0.4..2.1``."""
    found: dict[str, list[float]] = {}
    for name, value in tuned_of(metrics).items():
        found.setdefault(name.partition(_PART)[0], []).append(value)
    return {
        knob: "..".join(dict.fromkeys(f"{end:.3g}" for end in (min(values), max(values))))
        for knob, values in found.items()
    }
