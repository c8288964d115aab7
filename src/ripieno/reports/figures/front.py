"""Several metrics against each other: the trials that no other one beats in all of them."""

from collections.abc import Sequence

from plotly import graph_objects as go

from ripieno.records import Goal, Trial
from ripieno.records import front as front_of
from ripieno.reports.figures import style
from ripieno.reports.figures.progress import no_values

__all__ = ["front"]

_MOST_POINTS = 2_000


def front(trials: Sequence[Trial], goal: Goal, *, across: int = 1) -> go.Figure:
    """Draw the first metric of each trial against another one, and the front of all metrics.

    Args:
        trials: Every trial; those without a value are counted in the caption.
        goal: What the search was after, two metrics or more.
        across: Which of its metrics lies along the axis below.

    Raises:
        ReportError: No trial has a value.
    """
    merits = goal.merits(trials)
    valued = [trial for trial in trials if trial.id in merits]
    if not valued:
        raise no_values(trials)
    best = front_of(merits)
    x, y = goal.names[across], goal.names[0]
    broken = {number for number, merit in merits.items() if merit.violation > 0.0}
    others = [trial for trial in valued if trial.id not in {*best, *broken}]
    figure = style.blank(_title(len(best), goal), _caption(trials, valued, goal))
    _add(figure, [t for t in valued if t.id in broken], (x, y), name="breaks a limit")
    _add(figure, others, (x, y), name="beaten in every metric")
    by_number = {trial.id: trial for trial in valued}
    # The line is a staircase in two metrics; among more it would join what does not belong.
    mode = "lines+markers" if len(goal.names) == 2 else "markers"
    ordered = sorted((by_number[n] for n in best), key=lambda trial: trial.metrics[x])
    # What is reached at least as well in x as a point of the line is reached no better in y.
    shape = "hv" if goal.objectives[across].direction == "minimize" else "vh"
    _add(figure, ordered, (x, y), name="the front", mode=mode, shape=shape)
    for axis, name in (("xaxis", x), ("yaxis", y)):
        values = [trial.metrics[name] for trial in valued]
        objective = goal.objectives[goal.names.index(name)]
        scale = style.log_axis(values) if style.wants_log(values, objective) else {}
        figure.layout[axis].update(title_text=style.axis_title(name), **scale)
    return figure


def _title(count: int, goal: Goal) -> str:
    names = [style.words(name) for name in goal.names]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    if count == 0:
        return f"No trial keeps the limits of the search after {listed}"
    subject = "1 trial is" if count == 1 else f"{count:,} trials are"
    return f"{subject} not beaten in {listed}"


def _caption(trials: Sequence[Trial], valued: Sequence[Trial], goal: Goal) -> str:
    caption = (
        "A point is a trial at its last epoch; on the front, a gain in one metric costs another."
    )
    if goal.limits:
        caption += f" Limits: {', '.join(map(str, goal.limits))}."
    if without := len(trials) - len(valued):
        caption += f" {style.plural(without, 'trial')} without a value."
    return caption


def _add(
    figure: go.Figure,
    trials: Sequence[Trial],
    axes: tuple[str, str],
    *,
    name: str,
    mode: str = "markers",
    shape: str = "linear",
) -> None:
    """Add trials as points that tell their number and config."""
    if not trials:
        return
    x, y = axes
    shown = [trials[place] for place in style.spread(len(trials), _MOST_POINTS)]
    color = {"the front": style.SINGLE, "breaks a limit": style.LOST}.get(name, style.MEMBER)
    symbol = "x-thin-open" if name == "breaks a limit" else "circle"
    figure.add_scatter(
        x=[trial.metrics[x] for trial in shown],
        y=[trial.metrics[y] for trial in shown],
        mode=mode,
        name=f"{name} ({style.plural(len(trials), 'trial')})",
        line={"color": color, "width": 1.5, "shape": shape},
        marker={"color": color, "size": 8, "symbol": symbol},
        customdata=[[trial.id, style.escape(_words(trial))] for trial in shown],
        hovertemplate=(
            f"trial %{{customdata[0]}}<br>{style.escape(style.words(x))} %{{x:.4g}}, "
            f"{style.escape(style.words(y))} %{{y:.4g}}<br>%{{customdata[1]}}<extra></extra>"
        ),
    )


def _words(trial: Trial) -> str:
    return ", ".join(f"{name} {style.number(value)}" for name, value in trial.config.items())
