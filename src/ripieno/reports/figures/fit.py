"""Whether trials fit their training data too well or not well enough."""

import math
from collections.abc import Sequence

from plotly import graph_objects as go

from ripieno.errors import ReportError
from ripieno.records import Objective, Trial
from ripieno.reports.figures import style
from ripieno.reports.summary import ranked

__all__ = ["fit"]


def fit(
    trials: Sequence[Trial],
    objective: Objective,
    *,
    training: str = "train_loss",
    validation: str = "log_loss",
) -> go.Figure:
    """Draw each trial's training loss against its validation loss, after its last epoch.

    Args:
        trials: Every trial; those without both losses are not drawn.
        objective: What the search was after; says which trial is the best.
        training: Name of the loss on the training part.
        validation: Name of the loss on the validation part.

    Raises:
        ReportError: No trial has both losses.
    """
    both = [
        trial
        for trial in ranked(tuple(trials), objective)
        if all(math.isfinite(trial.metrics.get(name, math.nan)) for name in (training, validation))
    ]
    if not both:
        raise ReportError(
            f"no trial has both {training!r} and {validation!r}.",
            where=style.plural(len(trials), "trial"),
            fix=f"report {training!r} and {validation!r} after every epoch.",
        )
    best = both[0]
    x, y = best.metrics[training], best.metrics[validation]
    shown = style.best_and_some(both)
    figure = style.blank(
        f"Trial {best.id} has a loss of {style.number(x)} on training rows and of "
        f"{style.number(y)} on validation rows",
        "A point is a trial at its last epoch. Far above the line: overfitting. High up on the "
        "line: underfitting. Below it: dropout and moving weights make training look worse."
        + (f" {style.chosen(shown, both)}" if len(shown) < len(both) else ""),
    )
    for group in style.by_epochs(both):
        drawn = [trial for trial in group.trials if trial.id in shown]
        figure.add_scatter(
            x=[trial.metrics[training] for trial in drawn],
            y=[trial.metrics[validation] for trial in drawn],
            mode="markers",
            name=group.label,
            marker={"color": group.color, "size": 8, "line": {"width": 0.5, "color": "white"}},
            customdata=[trial.id for trial in drawn],
            hovertemplate="trial %{customdata}<br>training %{x:.4g}<br>validation %{y:.4g}",
        )
    figure.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        name=f"trial {best.id}, the best",
        marker={"color": style.SINGLE, "size": 15, "symbol": "star"},
        hoverinfo="skip",
    )
    values = [trial.metrics[name] for trial in both for name in (training, validation)]
    ends = [min(values), max(values)]
    figure.add_scatter(
        x=ends,
        y=ends,
        mode="lines",
        name="equal",
        line={"color": style.MUTED, "width": 1, "dash": "dash"},
        hoverinfo="skip",
    )
    for update, name in ((figure.update_xaxes, training), (figure.update_yaxes, validation)):
        own = [trial.metrics[name] for trial in both]
        update(
            title_text=style.axis_title(name),
            **(style.log_axis(own) if style.wants_log(values) else {}),
        )
    return figure
