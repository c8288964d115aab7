"""What the models answered on rows held out: reliability and confusion."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from ripieno.reports.figures import style

__all__ = ["calibration", "confusion", "reliability"]

_MOST_WRITTEN = 20

Floats = NDArray[np.floating[Any]]


def calibration(before: Floats, after: Floats, targets: NDArray[np.int64]) -> go.Figure:
    """Draw how reliable an ensemble is as it stands, and after it was calibrated.

    Args:
        before: Its probabilities, shape ``(rows, classes)``.
        after: The same after a calibration that was fitted on other rows.
        targets: Number of the true class, shape ``(rows,)``.
    """
    from ripieno.ensembles import expected_calibration_error, log_loss

    models = {"as it is": before, "after a temperature": after}
    figure = reliability(models, targets, colors=(style.ENSEMBLE, style.GAINED))
    errors = [expected_calibration_error(p, targets) for p in models.values()]
    losses = [log_loss(p, targets) for p in models.values()]
    figure.layout.title.text = style.escape(
        f"A temperature takes the ensemble's calibration error from {errors[0]:.3f} to "
        f"{errors[1]:.3f}, its log loss from {style.number(losses[0])} to {style.number(losses[1])}"
    )
    return figure


def reliability(
    models: Mapping[str, Floats],
    targets: NDArray[np.int64],
    *,
    bins: int = 15,
    colors: Sequence[str] | None = None,
) -> go.Figure:
    """Draw how often answers are right against how sure the models were of them.

    Args:
        models: Probabilities by name, shape ``(rows, classes)``; the last one stands in front.
        targets: Number of the true class, shape ``(rows,)``.
        bins: Bins of equal width.
        colors: One a model; else the last one is blue, as the ensemble is everywhere.

    Raises:
        EnsembleError: The shapes do not match.
    """
    # Imported here: the metrics come with torch, which a study without answers never needs.
    from ripieno.ensembles import expected_calibration_error, reliability_curve

    curves = {n: reliability_curve(p, targets, bins=bins) for n, p in models.items()}
    errors = {n: expected_calibration_error(p, targets, bins=bins) for n, p in models.items()}
    name = list(models)[-1]
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.06
    )
    figure.update_layout(
        style.blank(
            f"Confidence and accuracy of the {name} differ by {errors[name]:.1%} on average",
            "Above the dashed line a model is right more often than it says, below it less often. "
            f"Bars are one standard error; {len(targets):,} rows.",
            height=520,
        ).layout
    )
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", showlegend=False, hoverinfo="skip",
        line={"color": style.MUTED, "width": 1, "dash": "dash"}, row=1, col=1,
    )  # fmt: skip
    width = 0.8 / bins / len(models)
    for place, color in enumerate(colors or _colors(len(models))):
        label = list(models)[place]
        curve = curves[label]
        # With a hit and a miss added (Laplace): one row that is right does not prove much.
        rate = (curve.accuracy * curve.counts + 1) / (curve.counts + 2)
        deviation = np.sqrt(rate * (1 - rate) / (curve.counts + 3))
        figure.add_scatter(
            x=curve.confidence, y=curve.accuracy, mode="lines+markers", customdata=curve.counts,
            name=style.escape(f"{label}, calibration error {errors[label]:.3f}"),
            line={"color": color, "width": 2}, marker={"size": 7},
            error_y={
                "array": np.minimum(deviation, 1 - curve.accuracy),
                "arrayminus": np.minimum(deviation, curve.accuracy),
                "symmetric": False, "thickness": 1, "width": 3,
            },
            hovertemplate="said %{x:.1%}, right %{y:.1%}<br>%{customdata} rows", row=1, col=1,
        )  # fmt: skip
        figure.add_bar(
            # Side by side about the middle of the bin, wherever in it the mean lies.
            x=(np.ceil(curve.confidence * bins) - 0.5) / bins, y=curve.counts, width=width,
            offset=(place - len(models) / 2) * width, marker={"color": color}, row=2, col=1,
            name=style.escape(label), showlegend=False, hovertemplate="%{y} rows",
        )  # fmt: skip
    left = np.floor(10 * min(curve.confidence[0] for curve in curves.values())) / 10 - 0.02
    most = max(curve.counts.max() for curve in curves.values())
    figure.update_xaxes(range=[max(left, 0.0), 1.02], tickformat=".0%")
    figure.update_xaxes(title_text="confidence: probability of the answer", row=2, col=1)
    figure.update_yaxes(title_text="accuracy", range=[-0.03, 1.06], tickformat=".0%", row=1, col=1)
    # A log scale, since nearly all rows of a good model are in the last bin.
    figure.update_yaxes(title_text="rows", **style.log_axis([1, 2 * most], 4), row=2, col=1)
    return figure


def confusion(
    probabilities: Floats, targets: NDArray[np.int64], classes: Sequence[str]
) -> go.Figure:
    """Draw how many rows of each class were taken for which.

    Args:
        probabilities: Shape ``(rows, classes)``.
        targets: Number of the true class, shape ``(rows,)``.
        classes: Names of the classes.

    Raises:
        EnsembleError: The shapes do not match.
    """
    from ripieno.ensembles import confusion_matrix

    counts = confusion_matrix(probabilities, targets)
    wrong = counts - np.diag(np.diag(counts))
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    names = [style.escape(name) for name in classes]
    few = len(names) <= _MOST_WRITTEN
    figure = style.blank(
        _most_confused(wrong, rows[:, 0], classes),
        f"{int(wrong.sum()):,} of {int(counts.sum()):,} rows are wrong. "
        + ("Numbers are rows; the" if few else "The")
        + " darker, the larger the share of the true class.",
        height=min(760, 200 + 36 * len(names)) if few else 700,
    )
    figure.add_heatmap(
        # The root, so that a few mistakes are seen beside a full diagonal.
        z=np.sqrt(shares), x=names, y=names, zmin=0, zmax=1, showscale=False, xgap=1, ygap=1,
        colorscale=[[0, "#ffffff"], [0.5, "#7bccc4"], [1, "#084081"]],
        text=np.where(counts > 0, counts.astype(str), "") if few else None,
        texttemplate="%{text}" if few else None,
        customdata=np.stack([counts, shares], axis=2),
        hovertemplate="%{y} taken for %{x}<br>%{customdata[0]} rows, %{customdata[1]:.1%} of %{y}"
        "<extra></extra>",
    )  # fmt: skip
    sides = {"type": "category", "showgrid": False, "ticks": "", "showline": False}
    figure.update_xaxes(title_text="answer", side="bottom", **sides)
    figure.update_yaxes(title_text="true class", autorange="reversed", **sides)
    figure.update_layout(margin={"t": 76}, meta={"min_width": min(900, 120 + 30 * len(names))})
    return figure


def _most_confused(
    wrong: NDArray[np.int64], rows: NDArray[np.int64], classes: Sequence[str]
) -> str:
    if not wrong.any():
        return "Every row is right"
    true, answer = (int(index) for index in np.unravel_index(wrong.argmax(), wrong.shape))
    count = wrong[true, answer]
    return (
        f"Most often {classes[true]} is taken for {classes[answer]}: "
        f"{count} of {style.plural(int(rows[true]), 'row')}"
    )


def _colors(count: int) -> list[str]:
    """One model is vermillion; of several the last is blue, as the ensemble is everywhere."""
    return [style.MEMBER] * (count - 2) + [style.SINGLE, style.ENSEMBLE][:count]
