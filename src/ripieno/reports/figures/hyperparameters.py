"""Which hyperparameters good trials have: parallel coordinates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from plotly import graph_objects as go

from ripieno.errors import ReportError
from ripieno.records import Objective, Trial
from ripieno.reports.figures import style
from ripieno.reports.figures.progress import no_values
from ripieno.reports.summary import last_value, lost, ranked
from ripieno.space import Domain, Float, Int, Space

__all__ = ["axis_ticks", "parallel_coordinates"]

_INACTIVE = -0.14
_FEW = 12

Tick = tuple[float, str]


@dataclass(frozen=True, slots=True)
class _Band:
    """A part of the ranking and how its lines are drawn."""

    label: str
    trials: list[Trial]
    color: str
    width: float
    hidden: bool = False


def parallel_coordinates(
    trials: Sequence[Trial], objective: Objective, space: Space, *, most: int = 200
) -> go.Figure:
    """Draw each trial as a line over one axis a hyperparameter, and the objective last.

    The lines are ordinary SVG, not WebGL, so that the figure is seen on every machine and on
    paper. Axes have the scale that the space declares; lines that meet on a choice are
    fanned out; a hyperparameter whose condition is not met passes below its axis.

    Args:
        trials: Every trial; those of an earlier space, which this one does not hold, are
            left out.
        objective: What the search was after; its axis has the best value on top.
        space: The hyperparameters; constants are not drawn.
        most: Draw at most so many lines, evenly spread over the ranking.

    Raises:
        ReportError: No trial has a value, or nothing was searched.
    """
    trials = [trial for trial in trials if space.holds(trial.config)]
    valued = ranked(tuple(trials), objective)
    if not valued:
        raise no_values(trials)
    if not space.searched:
        raise ReportError(
            "the space holds constants only.",
            where=repr(space),
            fix="search at least one hyperparameter.",
        )
    metric = style.words(objective.metric)
    shown = [valued[i] for i in style.spread(len(valued), most)]
    caption = (
        "A line is a trial. The last axis has the best value on top. "
        "Click a name in the legend to hide or show its lines."
    )
    if len(shown) < len(valued):
        caption += f" {len(shown):,} of {len(valued):,} trials, evenly spread over the ranking."
    figure = style.blank(f"What trials with a good {metric} have in common", caption, height=480)
    scale = _ObjectiveScale.of(shown, objective)
    # Fanned out by number: by rank, a band would be a bundle and hide its own spread.
    fan = {t.id: (i + 0.5) / len(shown) - 0.5 for i, t in enumerate(sorted(shown, key=_number))}
    for band in _bands(shown, lost(tuple(trials))[:most]):
        lines = [
            # A line that has no value ends before the last axis.
            _positions(trial, space, fan.get(trial.id, 0.0))
            + [scale.position(last_value(trial, objective))] * (trial.id in fan)
            for trial in band.trials
        ]
        _add_band(figure, band, lines)
    _draw_axes(figure, space, (metric, scale.ticks()))
    return figure


def axis_ticks(domain: Domain, most: int = 5) -> list[Tick]:
    """Return positions in [0, 1] and labels of round values of a domain, its ends included."""
    if not isinstance(domain, Float | Int):
        count = int(domain.size)
        values = [domain.nth(i) for i in style.spread(count, _FEW)]
        return [(domain.encode(value), style.number(value)) for value in values]
    if domain.size <= most + 1:
        return _labelled(domain, [domain.nth(i) for i in range(int(domain.size))])
    low, high = float(domain.low), float(domain.high)
    if domain.log:
        inner = style.log_ticks(low, high, most)
    else:
        step = _round_step((high - low) / most)
        inner = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    ends = _labelled(domain, [domain.low, domain.high])
    kept = [
        (position, label)
        for position, label in _labelled(domain, inner)
        # No label so near an end that the two would be printed over each other.
        if ends[0][0] + 0.07 < position < ends[-1][0] - 0.07
    ]
    return [ends[0], *kept, *ends[1:]]


@dataclass(frozen=True, slots=True)
class _ObjectiveScale:
    """The last axis: the best value at 1, the worst of the best nine tenths at 0."""

    best: float
    worst: float
    logarithmic: bool
    clipped: bool

    @classmethod
    def of(cls, best_first: Sequence[Trial], objective: Objective) -> "_ObjectiveScale":
        values = [last_value(trial, objective) for trial in best_first]
        worst = values[math.ceil(0.9 * (len(values) - 1))]
        logarithmic = style.wants_log([values[0], worst], objective)
        return cls(values[0], worst, logarithmic, clipped=values[-1] != worst)

    def position(self, value: float) -> float:
        if self.best == self.worst:
            return 1.0 if value == self.best else 0.0
        best, worst, at = self.best, self.worst, value
        if self.logarithmic:
            best, worst, at = math.log(best), math.log(worst), math.log(value)
        return min(max((at - worst) / (best - worst), 0.0), 1.0)

    def ticks(self) -> list[Tick]:
        if self.best == self.worst:
            return [(1.0, style.number(self.best))]
        low, high = sorted((self.best, self.worst))
        span = Float(low, high, log=self.logarithmic)
        ticks = [
            (position if self.best > self.worst else 1 - position, label)
            for position, label in axis_ticks(span)
        ]
        foot = " or worse" if self.clipped else ""
        return [(place, label + foot if place == 0 else label) for place, label in ticks]


def _number(trial: Trial) -> int:
    return trial.id


def _bands(best_first: Sequence[Trial], broken: Sequence[Trial]) -> list[_Band]:
    """Divide the ranking, the worst part first, so that the best lines lie on top."""
    count = len(best_first)
    tenth, half = max(1, round(0.1 * count)), max(1, round(0.5 * count))
    bands = [
        _Band("worse half", list(best_first[half:]), "#d5dae1", 1.0),
        _Band("better half", list(best_first[tenth:half]), "#8cc3dc", 0.8),
        _Band("best tenth", list(best_first[1:tenth]), "#084081", 1.6),
        _Band(f"trial {best_first[0].id}, the best", [best_first[0]], style.SINGLE, 3.0),
    ]
    if broken:
        label = f"diverged or failed ({style.plural(len(broken), 'trial')})"
        bands.append(_Band(label, list(broken), style.LOST, 1.0, hidden=True))
    return [band for band in bands if band.trials]


def _add_band(figure: go.Figure, band: _Band, lines: Sequence[Sequence[float]]) -> None:
    """Add lines as one trace with gaps between them: a trace each would be slow to draw."""
    x: list[float | None] = []
    y: list[float | None] = []
    numbers: list[int | None] = []
    for trial, line in zip(band.trials, lines, strict=True):
        x += [*range(len(line)), None]
        y += [*line, None]
        numbers += [trial.id] * (len(line) + 1)
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name=band.label,
        line={"color": band.color, "width": band.width},
        customdata=numbers,
        hovertemplate="trial %{customdata}",
        visible="legendonly" if band.hidden else True,
    )


def _positions(trial: Trial, space: Space, fan: float) -> list[float]:
    """Where a trial's line crosses each axis; ``fan`` in [-0.5, 0.5] spreads equal values."""
    positions = []
    for name in space.searched:
        domain = space[name]
        if name not in trial.config:
            positions.append(_INACTIVE + 0.06 * fan)
            continue
        spread = 0.7 * fan / domain.size if domain.size <= _FEW else 0.0
        positions.append(domain.encode(trial.config[name]) + spread)
    return positions


def _draw_axes(figure: go.Figure, space: Space, objective: tuple[str, list[Tick]]) -> None:
    axes: list[tuple[str, list[Tick]]] = []
    for name in space.searched:
        ticks = axis_ticks(space[name])
        if space[name].conditions:
            ticks = [(_INACTIVE, "inactive"), *ticks]
        axes.append((name.replace("_", " "), ticks))
    axes.append(objective)
    heads = [_wrapped(name) for name, _ in axes]
    for place, (head, (_, ticks)) in enumerate(zip(heads, axes, strict=True)):
        figure.add_shape(
            type="line",
            x0=place, x1=place, y0=0, y1=1,
            line={"color": style.INK, "width": 1},
        )  # fmt: skip
        figure.add_annotation(
            x=place, y=1.04, text=head, showarrow=False, yanchor="bottom",
            font={"size": 12, "color": style.INK},
        )  # fmt: skip
        last = place == len(axes) - 1
        for position, label in ticks:
            figure.add_annotation(
                x=place, y=position, text=style.escape(label[:18]), showarrow=False,
                xanchor="left", xshift=3, bgcolor="rgba(255, 255, 255, 0.8)", borderpad=0,
                font={"size": 11, "color": style.INK if last else style.MUTED},
            )  # fmt: skip
    conditional = any(space[name].conditions for name in space.searched)
    foot = _INACTIVE - 0.08 if conditional else -0.05
    lines = 1 + max(head.count("<br>") for head in heads)
    figure.update_xaxes(visible=False, range=[-0.03, len(axes) - 0.97], fixedrange=True)
    figure.update_yaxes(visible=False, range=[foot, 1.06 + 0.055 * lines], fixedrange=True)
    figure.update_layout(
        legend={"y": -0.02, "yanchor": "top"},
        showlegend=True,
        # The last axis has its labels in the margin.
        margin={"l": 32, "r": 104, "b": 56},
        # The page lets a figure wider than the window scroll; below this nothing is read.
        meta={"min_width": 66 * len(axes) + 136},
    )


def _wrapped(name: str) -> str:
    """Break a long name into lines at its spaces, and cut what is longer than an axis has room."""
    lines: list[str] = []
    for word in (word if len(word) <= 14 else f"{word[:13]}…" for word in name.split(" ")):
        if lines and len(lines[-1]) + len(word) < 10:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "<br>".join(style.escape(line) for line in lines)


def _labelled(domain: Float | Int, values: Sequence[float]) -> list[Tick]:
    whole = isinstance(domain, Int)
    kept = [
        (int(value) if whole else float(value))
        for value in values
        if domain.low <= value <= domain.high and (not whole or value == int(value))
    ]
    # Between two steps of a domain lies no value: the nearest one stands for the tick.
    return [(_position(domain, value), style.number(value)) for value in dict.fromkeys(kept)]


def _position(domain: Float | Int, value: float) -> float:
    if domain.low == domain.high:
        return 0.5
    if domain.log or (isinstance(domain, Float) and domain.step is None):
        return domain.encode(value)
    count = domain.size
    steps = (value - domain.low) / (domain.step or 1)
    return float(np.clip((steps + 0.5) / count, 0, 1))


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * 0.999)
