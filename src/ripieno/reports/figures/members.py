"""The members of an ensemble beside each other: how they differ, and what it is worth."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go

from ripieno.reports.figures import style
from ripieno.reports.summary import Answers, Selection

if TYPE_CHECKING:
    from ripieno.ensembles import Predictions

__all__ = ["ambiguity", "diversity", "gain_by_size", "kappa_error"]

_MOST_WRITTEN = 12
_METRIC = {"classification": "log_loss", "multilabel": "log_loss", "regression": "rmse"}


def gain_by_size(selection: Selection, answers: Answers) -> go.Figure:
    """Draw the loss of the first one, two, three … members, those that count most first.

    Args:
        selection: The ensemble.
        answers: What its members answered, with ``votes``.
    """
    from ripieno.recipes import measure

    predictions = members_of(selection, answers)
    metric = _METRIC[answers.task]
    shares = np.array(selection.weights)

    def loss(p: NDArray[np.floating[Any]]) -> float:
        return measure(p, answers.targets, task=answers.task)[metric]

    sizes = list(range(1, predictions.members + 1))
    losses = []
    for size in sizes:
        own = np.zeros(len(shares))
        own[:size] = shares[:size] / shares[:size].sum()
        losses.append(loss(predictions.mean(own)))
    single = loss(answers.single)
    best = int(np.argmin(losses)) + 1
    figure = style.blank(
        f"{style.heading(metric)} {style.number(losses[-1])} of all {len(sizes)} members, "
        f"{style.number(losses[best - 1])} of the first {best}",
        "A point is a soft vote of the members that count most, with their weights; the dashed "
        f"line is the best single model. Measured on the {answers.part} rows.",
        height=380,
    )
    figure.add_hline(y=single, line={"color": style.SINGLE, "width": 2, "dash": "dash"})
    figure.add_scatter(
        x=sizes, y=losses, mode="lines+markers", name="ensemble", showlegend=False,
        line={"color": style.ENSEMBLE, "width": 2}, marker={"size": 8},
        customdata=[f"trial {trial}" for trial in selection.trials],
        hovertemplate="%{x} members, with %{customdata}: %{y:.4g}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text="members", dtick=max(1, len(sizes) // 10))
    figure.update_yaxes(title_text=style.axis_title(metric))
    return figure


def diversity(selection: Selection, answers: Answers) -> go.Figure:
    """Draw on how many rows one of two members is right and the other wrong.

    Args:
        selection: The ensemble.
        answers: What its members answered about classes, with ``votes``.
    """
    from ripieno.ensembles import correctness_disagreement, q_statistic

    predictions = members_of(selection, answers)
    shares = correctness_disagreement(predictions)
    q = q_statistic(predictions)
    above = np.triu_indices(len(shares), 1)
    names = _names(selection)
    few = len(names) <= _MOST_WRITTEN
    figure = style.blank(
        f"One of two members is right and the other wrong on {shares[above].mean():.1%} of the "
        "rows",
        "The darker, the more two members differ in what they have right. Their mean "
        f"Q-statistic is {style.number(float(q[above].mean()))}: 1 where errors go together, "
        "0 where they are independent.",
        height=min(720, 200 + 34 * len(names)),
    )
    figure.add_heatmap(
        z=shares, x=names, y=names, zmin=0, zmax=max(float(shares.max()), 1e-9),
        showscale=False, xgap=1, ygap=1,
        colorscale=[[0, "#ffffff"], [0.5, "#7bccc4"], [1, "#084081"]],
        texttemplate="%{z:.1%}" if few else None,
        customdata=q, hovertemplate="%{y} and %{x}: %{z:.2%}, Q %{customdata:.2f}<extra></extra>",
    )  # fmt: skip
    sides = {"type": "category", "showgrid": False, "ticks": "", "showline": False}
    figure.update_xaxes(**sides)
    figure.update_yaxes(autorange="reversed", **sides)
    figure.update_layout(meta={"min_width": min(900, 120 + 60 * len(names))})
    return figure


def kappa_error(selection: Selection, answers: Answers) -> go.Figure:
    """Draw every pair of members: how alike they answer against how often they are wrong.

    Args:
        selection: The ensemble.
        answers: What its members answered about classes, with ``votes``.
    """
    from ripieno.ensembles import kappa_error as pairs_of

    found = pairs_of(members_of(selection, answers))
    names = _names(selection)
    figure = style.blank(
        f"Pairs of members agree with a kappa of {style.number(float(found.kappa.mean()))} and "
        f"are wrong on {found.error.mean():.1%} of the rows",
        "A point is a pair. Left: they answer differently. Low: they are right. What is low and "
        "to the left gains most from a vote.",
        height=400,
    )
    figure.add_scatter(
        x=found.kappa, y=found.error, mode="markers",
        marker={"color": style.ENSEMBLE, "size": 9, "opacity": 0.7, "line": {"width": 1}},
        customdata=[f"{names[i]} and {names[j]}" for i, j in found.pairs],
        hovertemplate="%{customdata}<br>kappa %{x:.3f}, mean error %{y:.2%}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text="kappa: agreement beyond chance")
    figure.update_yaxes(title_text="mean error of the two", tickformat=".1%", rangemode="tozero")
    return figure


def ambiguity(selection: Selection, answers: Answers) -> go.Figure:
    """Draw the members' mean loss, what their differences take off, and what is left.

    Args:
        selection: The ensemble.
        answers: What its members answered, classes or values, with ``votes``.
    """
    from ripieno.ensembles import decompose

    # Weights that are told are rounded, and shares have the sum 1.
    shares = np.array(selection.weights) / sum(selection.weights)
    found = decompose(members_of(selection, answers), shares)
    loss = "squared error" if answers.task == "regression" else "log loss"
    share = found.ambiguity / found.members if found.members > 0 else 0.0
    figure = style.blank(
        f"The members' differences take {share:.1%} off their mean {loss}",
        "Loss of a member drawn by its weight, less the ambiguity, is the loss of their mean. "
        f"Measured on the {answers.part} rows.",
        height=270,
    )
    bars = ("members' mean", "ambiguity", "ensemble")
    values = (found.members, found.ambiguity, found.ensemble)
    figure.add_bar(
        x=values, y=bars, base=(0.0, found.ensemble, 0.0), orientation="h",
        marker={"color": (style.MEMBER, style.GAINED, style.ENSEMBLE)},
        text=[style.number(value) for value in values], textposition="auto",
        hovertemplate="%{y}: %{text}<extra></extra>",
    )  # fmt: skip
    unit = "the target's unit squared" if answers.task == "regression" else "nats"
    figure.update_xaxes(title_text=f"{loss} ({unit})", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    return figure


def members_of(selection: Selection, answers: Answers) -> "Predictions":
    """Return what the members answered, in their order."""
    # Imported here: it comes with torch, which a study without answers never needs.
    from ripieno.ensembles import Predictions

    assert answers.votes is not None  # noqa: S101 - the page asks for these figures only then
    names = tuple(map(str, selection.trials))
    return Predictions(answers.votes, answers.targets, names, answers.part, answers.task)


def _names(selection: Selection) -> Sequence[str]:
    return [f"trial {trial}" for trial in selection.trials]
