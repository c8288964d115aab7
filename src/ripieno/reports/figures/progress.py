"""How the search went: the best value against time, and every trial's curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go

from ripieno.errors import ReportError
from ripieno.records import Objective, Trial
from ripieno.reports.figures import style
from ripieno.reports.summary import last_value, lost, ranked

__all__ = ["best_so_far", "learning_curves", "no_values"]

_MOST_POINTS = 200
_MOST_OF_LINE = 2_000


def best_so_far(
    trials: Sequence[Trial], objective: Objective, *, seconds: float | None = None
) -> go.Figure:
    """Draw each trial's last value at the time it was recorded, and the best one until then.

    Args:
        trials: Every trial; those without a value are counted in the caption.
        objective: What the search was after.
        seconds: When the study ended, in seconds of study time; the line is drawn until then.

    Raises:
        ReportError: No trial has a value.
    """
    valued = ranked(tuple(trials), objective)
    if not valued:
        raise no_values(trials)
    clock = _Clock.of(valued, seconds)
    metric = style.words(objective.metric)
    values = [last_value(trial, objective) for trial in valued]
    logarithmic = style.wants_log(values, objective)
    kept = _frame(values, objective, logarithmic=logarithmic)
    caption = "A point is a trial at its last epoch; the line is the best until then."
    if left_out := len(values) - len(kept):
        caption += f" {style.plural(left_out, 'trial')} far worse than the rest not shown."
    if without := len(trials) - len(valued):
        caption += f" {style.plural(without, 'trial')} without a value."
    shown = style.best_and_some(valued)
    if len(shown) < len(valued):
        caption += f" {style.chosen(shown, valued)}"
    figure = style.blank(
        f"Best {metric} {style.number(values[0])}, reached {clock.words(valued[0])}", caption
    )
    size = 8 if len(valued) <= 300 else 5
    for group in style.by_epochs(valued):
        drawn = [trial for trial in group.trials if trial.id in shown]
        figure.add_scatter(
            x=[clock.of_trial(trial) for trial in drawn],
            y=[last_value(trial, objective) for trial in drawn],
            mode="markers",
            name=group.label,
            marker={"color": group.color, "size": size, "line": {"width": 0.5, "color": "white"}},
            customdata=[trial.id for trial in drawn],
            hovertemplate=f"trial %{{customdata}}<br>{style.escape(metric)} %{{y:.4g}}",
        )
    times, bests = _records(valued, objective, clock)
    figure.add_scatter(
        x=times,
        y=bests,
        mode="lines",
        name="best so far",
        line={"color": style.SINGLE, "width": 2.5, "shape": "hv"},
        hoverinfo="skip",
    )
    figure.update_xaxes(title_text=clock.title, rangemode="tozero")
    figure.update_yaxes(
        title_text=style.axis_title(objective.metric), **_y_axis(kept, logarithmic=logarithmic)
    )
    return figure


def learning_curves(trials: Sequence[Trial], objective: Objective, *, most: int = 200) -> go.Figure:
    """Draw the objective's metric of each trial against its epochs.

    Trials are coloured by the epochs they reached, the best one is drawn over the others.

    Args:
        trials: Every trial.
        objective: What the search was after.
        most: Draw at most about so many curves, evenly spread over the ranking of the trials
            that got equally far; the caption says how many were left out.

    Raises:
        ReportError: No trial was trained for more than one epoch with the metric.
    """
    metric = objective.metric
    if max((len(_curve(trial, metric)[1]) for trial in trials), default=0) < 2:
        raise ReportError(
            f"no trial has reported {metric!r} for two epochs.",
            where=style.plural(len(trials), "trial"),
            fix="report the metric after every epoch, and train for two epochs or more.",
        )
    valued = ranked(tuple(trials), objective)
    figure = style.blank(_curves_title(valued, objective), "", height=460)
    drawn, count = _add_groups(figure, valued, metric, most=most)
    if broken := [trial for trial in lost(tuple(trials)) if _curve(trial, metric)[1]]:
        label = f"diverged or failed ({style.plural(len(broken), 'trial')})"
        gone = _add_curves(figure, broken[:most], metric, name=label, color=style.LOST, dash="dot")
        # Where a trial ended well, its curve gives the scale, not the one that ran away.
        drawn = drawn or gone
    for best in valued[:1]:
        x, y = _curve(best, metric)
        drawn += y
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines+markers" if len(x) <= 30 else "lines",
            name=f"trial {best.id}, the best",
            line={"color": style.SINGLE, "width": 3},
            marker={"size": 5},
        )
    caption = "Lines by the epochs a trial was trained for."
    if count < len(valued):
        caption += f" {count:,} of {len(valued):,} curves, evenly spread over the ranking."
    figure.layout.title.subtitle.text = caption
    logarithmic = style.wants_log(drawn, objective)
    kept = _frame(drawn, objective, logarithmic=logarithmic)
    figure.update_xaxes(title_text="epochs", rangemode="tozero")
    figure.update_yaxes(
        title_text=style.axis_title(metric), **_y_axis(kept, logarithmic=logarithmic)
    )
    return figure


def no_values(trials: Sequence[Trial]) -> ReportError:
    """Return the error that says why there is nothing to draw."""
    count = len(lost(tuple(trials)))
    return ReportError(
        "no trial has a value yet."
        if not trials or count < len(trials)
        else f"all {len(trials)} trials diverged or failed.",
        where=style.plural(len(trials), "trial"),
        fix="let a trial finish, and draw the figure again.",
    )


def _curve(trial: Trial, metric: str) -> tuple[list[int], list[float]]:
    """Epochs and finite values of a metric, thinned to what a screen can show."""
    points = [
        (trial.first_epoch + 1 + index, float(row[metric]))
        for index, row in enumerate(trial.history)
        if math.isfinite(row.get(metric, math.nan))
    ]
    step = math.ceil(len(points) / _MOST_POINTS) or 1
    kept = points[::-1][::step][::-1]
    return [x for x, _ in kept], [y for _, y in kept]


def _curves_title(valued: Sequence[Trial], objective: Objective) -> str:
    metric = style.words(objective.metric)
    if not valued:
        return f"No trial ended with a {metric}"
    value = style.number(last_value(valued[0], objective))
    epochs = style.plural(valued[0].epochs, "epoch")
    return f"Trial {valued[0].id} reaches a {metric} of {value} in {epochs}"


def _add_groups(
    figure: go.Figure, valued: Sequence[Trial], metric: str, *, most: int
) -> tuple[list[float], int]:
    """Add the curves of each group of epochs; return their values and how many were drawn."""
    rank = {trial.id: place for place, trial in enumerate(valued)}
    groups = style.by_epochs(valued)
    shares = _shares([len(group.trials) for group in groups], most)
    values: list[float] = []
    for group, share in zip(groups, shares, strict=True):
        members = sorted(group.trials, key=lambda trial: rank[trial.id])
        shown = [members[i] for i in style.spread(len(members), share)]
        values += _add_curves(figure, shown, metric, name=group.label, color=group.color)
    return values, sum(shares)


def _add_curves(
    figure: go.Figure,
    trials: Sequence[Trial],
    metric: str,
    *,
    name: str,
    color: str,
    dash: str = "solid",
) -> list[float]:
    """Add curves as one trace with gaps between them: a trace each would be slow to draw."""
    x: list[float | None] = []
    y: list[float | None] = []
    numbers: list[int | None] = []
    for trial in trials:
        epochs, values = _curve(trial, metric)
        x += [*epochs, None]
        y += [*values, None]
        numbers += [trial.id] * (len(epochs) + 1)
    long = any(len(_curve(trial, metric)[0]) > 1 for trial in trials)
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines" if long else "markers",
        name=name,
        line={"color": color, "width": 1, "dash": dash},
        marker={"color": color, "size": 5},
        customdata=numbers,
        hovertemplate="trial %{customdata}<br>epoch %{x}: %{y:.4g}",
    )
    return [value for value in y if value is not None]


def _shares(sizes: Sequence[int], most: int) -> list[int]:
    """Divide ``most`` among groups: small groups whole, large ones equal parts of the rest."""
    shares = [0] * len(sizes)
    left = most
    for place, index in enumerate(sorted(range(len(sizes)), key=lambda i: sizes[i])):
        shares[index] = min(sizes[index], max(1, left // (len(sizes) - place)))
        left -= shares[index]
    return shares


@dataclass(frozen=True, slots=True)
class _Clock:
    """Study time in a unit that is read easily, or trial numbers where no time was kept."""

    unit: str
    seconds_per_unit: float
    end: float | None

    @classmethod
    def of(cls, trials: Sequence[Trial], seconds: float | None) -> "_Clock":
        times = [trial.finished_at for trial in trials]
        if not all(math.isfinite(time) for time in times):
            return cls("", math.nan, None)
        longest = max(seconds or 0.0, *times, 0.0)
        units = (("s", 1.0, 180), ("min", 60.0, 3 * 3600), ("h", 3600.0, math.inf))
        unit, length = next((name, size) for name, size, most in units if longest < most)
        return cls(unit, length, None if seconds is None else seconds / length)

    def of_trial(self, trial: Trial) -> float:
        return trial.finished_at / self.seconds_per_unit if self.unit else trial.id

    def words(self, trial: Trial) -> str:
        if not self.unit:
            return f"in trial {trial.id}"
        return f"after {style.number(self.of_trial(trial))} {self.unit}"

    @property
    def title(self) -> str:
        return f"study time ({self.unit})" if self.unit else "trial"


def _records(
    valued: Sequence[Trial], objective: Objective, clock: _Clock
) -> tuple[list[float], list[float]]:
    """Return the times of the trials and the best value until each, up to the study's end."""
    times, bests = [], []
    best = math.nan
    for trial in sorted(valued, key=clock.of_trial):
        value = last_value(trial, objective)
        best = value if objective.is_better(value, best) else best
        times.append(clock.of_trial(trial))
        bests.append(best)
    if len(times) > _MOST_OF_LINE:
        # Where the line is level, its ends say all.
        kept = [i for i in range(len(bests)) if i == 0 or bests[i] != bests[i - 1]]
        kept += [len(bests) - 1] * (kept[-1] < len(bests) - 1)
        times, bests = [times[i] for i in kept], [bests[i] for i in kept]
    if clock.end is not None and clock.end > times[-1]:
        times.append(clock.end)
        bests.append(best)
    return times, bests


def _frame(
    values: Sequence[float], objective: Objective, *, logarithmic: bool
) -> NDArray[np.float64]:
    """Leave out values so bad that they would squeeze all others into a corner.

    Kept is what is at most six times as far beyond the median as three quarters are.
    """
    array = np.asarray(values, dtype=float)
    badness = np.log(array) if logarithmic else array
    badness = badness if objective.direction == "minimize" else -badness
    beyond = badness - np.median(badness)
    reach = float(np.quantile(np.abs(beyond), 0.75))
    return array[beyond <= 6 * reach] if reach else array


def _y_axis(values: NDArray[np.float64], *, logarithmic: bool) -> dict[str, object]:
    if logarithmic:
        return style.log_axis(values)
    low, high = float(values.min()), float(values.max())
    pad = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return {"range": [low - pad, high + pad]}
