"""Who is in the ensemble, and what it gains over the best single model."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from ripieno.errors import ReportError
from ripieno.records import Metrics
from ripieno.reports.figures import style
from ripieno.reports.summary import Scores, Selection

__all__ = ["ensemble_weights", "gain"]

_MOST_BARS = 30
_PARTS = ("test", "validation")
# Color, symbol, size, and where the value is written, so that two near ones stay apart.
_LOOKS = MappingProxyType(
    {
        "members": (style.MEMBER, "circle-open", 9, None),
        "best single model": (style.SINGLE, "circle", 12, "bottom center"),
        "ensemble": (style.ENSEMBLE, "diamond", 13, "top center"),
    }
)


def ensemble_weights(
    selection: Selection,
    *,
    best: int | None = None,
    configs: Mapping[int, str] | None = None,
) -> go.Figure:
    """Draw the members' shares, largest on top.

    Args:
        selection: The ensemble.
        best: Number of the best single trial, which is marked.
        configs: What is shown of a trial beside its number when a bar is pointed at.
    """
    order = sorted(range(len(selection.trials)), key=lambda i: -selection.weights[i])
    shown, rest = order[:_MOST_BARS], order[_MOST_BARS:]
    names = [f"trial {selection.trials[i]}" for i in shown]
    shares = [selection.weights[i] for i in shown]
    colors = [style.SINGLE if selection.trials[i] == best else style.ENSEMBLE for i in shown]
    hover = [style.escape((configs or {}).get(selection.trials[i], "")) for i in shown]
    if rest:
        names.append(style.plural(len(rest), "other"))
        shares.append(sum(selection.weights[i] for i in rest))
        colors.append(style.MEMBER)
        hover.append("")
    # The number of models of equal weight that would be as concentrated: 1 / Σ w².
    effective = 1 / sum(weight**2 for weight in selection.weights)
    marked = best in selection.trials
    figure = style.blank(
        f"{style.plural(len(order), 'trial')} vote, as much as {effective:.1f} with equal weights",
        f"A bar is a member's share of the vote{'; the best single trial is marked' * marked}."
        + (f" Selected by validation {style.words(selection.by)}." if selection.by else ""),
        height=150 + 22 * len(names),
    )
    figure.add_bar(
        x=shares,
        y=names,
        orientation="h",
        marker={"color": colors},
        text=[f"{share:.1%}" for share in shares],
        textposition="outside",
        cliponaxis=False,
        customdata=hover,
        hovertemplate="%{y}: %{x:.1%}<br>%{customdata}<extra></extra>",
    )
    figure.update_xaxes(
        title_text="share of the vote", tickformat=".0%", range=[0, 1.15 * max(shares)]
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    return figure


def gain(single: Scores, ensemble: Scores, *, members: Sequence[Scores] = ()) -> go.Figure:
    """Draw the ensemble beside the best single model and its own members.

    One panel a metric that was measured of both, one line a part of the data.

    Args:
        single: What was measured of the best single model.
        ensemble: What was measured of the ensemble.
        members: What was measured of each member.

    Raises:
        ReportError: The two have no metric in common.
    """
    shared = {
        part: names
        for part in _PARTS
        if (names := _common(getattr(single, part), getattr(ensemble, part)))
    }
    if not shared:
        raise ReportError(
            "the ensemble and the best single model have no metric in common.",
            where="figures.gain",
            fix="measure both on the same rows.",
        )
    parts = list(shared)
    metrics = list(dict.fromkeys(name for names in shared.values() for name in names))
    caption = "Each metric on rows that chose the models (validation) and on new ones (test)."
    figure = make_subplots(rows=len(metrics), cols=1, vertical_spacing=0.32 / len(metrics))
    figure.update_layout(
        style.blank(
            _gain_title(getattr(single, parts[0]), getattr(ensemble, parts[0]), part=parts[0]),
            caption if len(parts) > 1 else f"Measured on the {parts[0]} rows.",
            height=130 + len(metrics) * (70 + 45 * len(parts)),
        ).layout
    )
    groups = {"members": members, "best single model": [single], "ensemble": [ensemble]}
    for row, metric in enumerate(metrics, start=1):
        for name, scores in groups.items():
            points = [
                (getattr(score, part)[metric], part)
                for part in parts
                for score in scores
                if metric in getattr(score, part)
            ]
            _add_points(figure, points, name=name, row=row)
        figure.update_xaxes(title_text=style.axis_title(metric), row=row, col=1)
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=parts[::-1],
        range=[-0.6, len(parts) - 0.4], showgrid=False, ticks="",
    )  # fmt: skip
    return figure


def _gain_title(single: Metrics, ensemble: Metrics, *, part: str) -> str:
    shared = _common(single, ensemble)
    metric = "log_loss" if "log_loss" in shared else shared[0]
    return (
        f"{style.heading(metric)} on {part} rows: {style.number(ensemble[metric])} of "
        f"the ensemble, {style.number(single[metric])} of the best single model"
    )


def _add_points(
    figure: go.Figure, points: Sequence[tuple[float, str]], *, name: str, row: int
) -> None:
    """Add one kind of model to a panel: its value on each part; few enough are written out."""
    color, symbol, size, place = _LOOKS[name]
    figure.add_scatter(
        x=[value for value, _ in points],
        y=[part for _, part in points],
        mode="markers+text" if place else "markers",
        name=name,
        legendgroup=name,
        showlegend=row == 1 and bool(points),
        marker={"color": color, "size": size, "symbol": symbol, "line": {"width": 1.5}},
        text=[style.number(value) for value, _ in points] if place else None,
        textposition=place,
        textfont={"color": color},
        cliponaxis=False,
        hovertemplate=f"{name}<br>%{{y}}: %{{x:.4g}}<extra></extra>",
        row=row,
        col=1,
    )


def _common(left: Metrics, right: Metrics) -> list[str]:
    return [name for name in left if name in right and np.isfinite([left[name], right[name]]).all()]
