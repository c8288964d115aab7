"""What all figures have in common: colours, letters, axes and the writing of numbers."""

import html
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from plotly import graph_objects as go

from ripieno.records import Objective, Trial, spread_of

__all__ = [
    "ENSEMBLE", "GAINED", "GRID", "INK", "LOST", "MEMBER", "MUTED", "SINGLE", "Group", "axis_title",
    "beside", "best_and_some", "blank", "by_epochs", "chosen", "escape", "heading", "log_axis",
    "number", "plural", "spread", "wants_log", "words",
]  # fmt: skip

INK = "#1f2933"
MUTED = "#52606d"
GRID = "#e4e7eb"
# Okabe and Ito's vermillion and blue: told apart by eyes of every kind, and in grey.
SINGLE = "#d55e00"
ENSEMBLE = "#0072b2"
MEMBER = "#9aa5b1"
LOST = "#a4133c"
# Okabe and Ito's bluish green: what was gained, or mended.
GAINED = "#009e73"
# Light to dark, so that more training is darker in print as well.
_SHADES = ("#a8ddb5", "#7bccc4", "#4eb3d3", "#2b8cbe", "#0868ac", "#084081")
_MOST_POINTS = 2_000
_BEST_POINTS = 500
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
_UNITS = {
    "log_loss": "nats",
    "train_loss": "nats",
    "accuracy": "share of rows",
    "subset_accuracy": "share of rows",
    "rmse": "the target's unit",
    "mae": "the target's unit",
    "latency_ms": "ms",
}


_SPOKEN = {
    "rmse": "RMSE",
    "mae": "MAE",
    "mape": "MAPE",
    "r2": "R\N{SUPERSCRIPT TWO}",
    "auroc": "AUROC",
    "ece": "ECE",
    "latency_ms": "latency",
    "flops": "FLOPs",
    "f1_macro": "macro F1",
    "f1_micro": "micro F1",
}


@dataclass(frozen=True, slots=True)
class Group:
    """Trials that were trained about equally long, and how they are drawn."""

    label: str
    color: str
    trials: tuple[Trial, ...]


def blank(title: str, caption: str, *, height: int = 420) -> go.Figure:
    """Return an empty figure in the house style.

    Args:
        title: The finding, as plain text.
        caption: How to read the figure, as plain text.
        height: Pixels.
    """
    axis = {
        "gridcolor": GRID,
        "linecolor": MEMBER,
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "tickcolor": MEMBER,
        "title": {"standoff": 8, "font": {"size": 13}},
        "automargin": True,
    }
    template = go.layout.Template(
        layout={
            "font": {"family": _FONT, "size": 13, "color": INK},
            "paper_bgcolor": "white",
            "plot_bgcolor": "white",
            "colorway": [ENSEMBLE, SINGLE, MEMBER],
            "hoverlabel": {"bgcolor": "white", "bordercolor": MEMBER, "align": "left"},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 64, "r": 16, "t": 104, "b": 56},
        }
    )
    layout = {
        "template": template,
        "height": height,
        "title": {
            "text": escape(title),
            "subtitle": {"text": escape(caption), "font": {"size": 12, "color": MUTED}},
            "x": 0,
            "xref": "paper",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 14},
            "font": {"size": 16},
        },
    }
    return go.Figure(layout=layout)


def escape(text: object) -> str:
    """Return text that Plotly shows as it is, without reading tags in it."""
    return html.escape(str(text), quote=False)


def words(metric: str) -> str:
    """Return a metric's name as it is read aloud."""
    name, spread, rest = metric.partition("_spread")
    if spread and not rest:
        return f"{words(name)} spread"
    return _SPOKEN.get(metric, metric.replace("_", " "))


def heading(metric: str) -> str:
    """Return a metric's name as it begins a sentence."""
    spoken = words(metric)
    return spoken[:1].upper() + spoken[1:]


def axis_title(metric: str) -> str:
    """Return the title of a metric's axis, with the unit where it is known."""
    unit = _UNITS.get(metric)
    return escape(f"{words(metric)} ({unit})" if unit else words(metric))


def number(value: object) -> str:
    """Write a number with three or four significant digits; anything else as text."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | np.integer):
        return f"{value:,}" if abs(int(value)) >= 10_000 else str(value)
    return _real(float(value)) if isinstance(value, float | np.floating) else str(value)


def beside(trial: Trial, metric: str) -> str:
    """Return the spread of a trial's last metric over its models as text, to stand after it."""
    spread = spread_of(trial.metrics, metric)
    return "" if spread is None else f" ± {number(spread)}"


def _real(value: float) -> str:
    size = abs(value)
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    # Four digits where a third would hide what matters: 0.9861 beside 0.9889.
    digits = 4 if 0.1 <= size < 1 else 3
    if not 1e-4 <= size < 1e5:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.{digits}g}"


def plural(count: int, noun: str) -> str:
    """Return ``"1 trial"`` or ``"3 trials"``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def by_epochs(trials: Iterable[Trial]) -> list[Group]:
    """Sort trials into at most six groups by the epochs they reached, shortest first."""
    everything = sorted(trials, key=lambda trial: (trial.epochs, trial.id))
    reached = sorted({trial.epochs for trial in everything})
    if len(reached) > len(_SHADES):
        # Even steps on a log scale: rungs and stopped trials spread over decades.
        edges = np.geomspace(max(1, reached[0]), reached[-1], len(_SHADES) + 1)[1:-1]
        bins = np.searchsorted(edges, reached, side="right")
    else:
        bins = np.arange(len(reached))
    groups = []
    for index in np.unique(bins):
        inside = [epochs for epochs, at in zip(reached, bins, strict=True) if at == index]
        members = tuple(t for t in everything if inside[0] <= t.epochs <= inside[-1])
        span = (
            f"{inside[0]} to {inside[-1]} epochs" if len(inside) > 1 else plural(inside[0], "epoch")
        )
        count = plural(len(members), "trial")
        # Where nothing was trained epoch by epoch, the word says nothing.
        groups.append((count if reached == [1] else f"{span} ({count})", members))
    last = len(_SHADES) - 1
    shades = np.linspace(0, last, len(groups)) if len(groups) > 1 else np.full(len(groups), last)
    return [
        Group(label, _SHADES[round(shade)], members)
        for (label, members), shade in zip(groups, shades.tolist(), strict=True)
    ]


def spread(count: int, most: int) -> list[int]:
    """Return at most ``most`` positions out of ``count``, evenly spread, the first one included."""
    if count <= most:
        return list(range(count))
    return sorted({int(i) for i in np.linspace(0, count - 1, most)})


def best_and_some(best_first: Sequence[Trial]) -> frozenset[int]:
    """Return the numbers of the trials that a figure of points shows.

    All up to 2,000; of more the best 500, and as many of the others as that leaves, evenly
    spread over their ranking. A browser draws no more points in a moment, and an eye tells
    no more apart.
    """
    if len(best_first) <= _MOST_POINTS:
        return frozenset(trial.id for trial in best_first)
    others = best_first[_BEST_POINTS:]
    some = [others[place] for place in spread(len(others), _MOST_POINTS - _BEST_POINTS)]
    return frozenset(trial.id for trial in (*best_first[:_BEST_POINTS], *some))


def chosen(shown: Collection[int], best_first: Sequence[Trial]) -> str:
    """Say which of the trials :func:`best_and_some` left on a figure."""
    return (
        f"{len(shown):,} of {len(best_first):,} trials are drawn: the best {_BEST_POINTS}, and "
        "others evenly spread over the ranking."
    )


def wants_log(values: ArrayLike, objective: Objective | None = None) -> bool:
    """Say whether values are read better on a log scale: a loss that spans a factor of five."""
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    if objective is not None and objective.direction == "maximize":
        return False
    return bool(array.size and array.min() > 0 and array.max() > 5 * array.min())


def log_axis(values: ArrayLike, most: int = 9) -> dict[str, Any]:
    """Return a log axis with every tick written in full: Plotly writes ``2`` for ``0.02``."""
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array) & (array > 0)]
    low, high = float(array.min()), float(array.max())
    ticks = log_ticks(low, high, most)
    pad = 0.04 * (math.log10(high / low) or 1.0)
    return {
        "type": "log",
        "range": [math.log10(low) - pad, math.log10(high) + pad],
        "tickvals": ticks,
        "ticktext": [number(tick) for tick in ticks],
    }


def log_ticks(low: float, high: float, most: int = 9) -> list[float]:
    """Return round numbers between two positive ones, as many as are read easily."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    series: Sequence[Sequence[float]] = (
        (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 5, 7), (1, 2, 5), (1, 3), (1,),
    )  # fmt: skip
    ticks: list[float] = []
    for steps in series:
        ticks = [
            tick
            for decade in decades
            for step in steps
            if low * 0.999 <= (tick := float(f"{step}e{decade}")) <= high * 1.001
        ]
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]
