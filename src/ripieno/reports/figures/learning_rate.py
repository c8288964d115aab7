"""The learning-rate range test as a picture."""

from typing import TYPE_CHECKING

import numpy as np
from plotly import graph_objects as go

from ripieno.errors import ReportError
from ripieno.reports.figures import style

if TYPE_CHECKING:
    from ripieno.diagnostics import RangeTest

__all__ = ["learning_rate_range"]


def learning_rate_range(tested: "RangeTest", *, current: float | None = None) -> go.Figure:
    """Draw the loss of a training whose learning rate grew at every step.

    Args:
        tested: The range test.
        current: The learning rate that the training has; not drawn where absent.

    Raises:
        ReportError: No loss was a finite number.
    """
    losses, smoothed = np.array(tested.losses), np.array(tested.smoothed)
    if not np.isfinite(losses).all():
        raise ReportError(
            "the range test has no finite loss.",
            where="learning_rate_range",
            fix="mend the model first: its loss is no number before any training.",
        )
    title = "No learning rate lowers the loss"
    if tested.suggestion is not None:
        title = f"The loss falls fastest at a learning rate of {style.number(tested.suggestion)}"
    figure = style.blank(
        title,
        "One training, whose learning rate grows at every step. A good rate lies where the curve "
        "falls, well to the left of its lowest point.",
    )
    figure.add_scatter(
        x=tested.rates,
        y=tested.losses,
        mode="markers",
        name="loss of a batch",
        marker={"color": style.MEMBER, "size": 5},
        hovertemplate="learning rate %{x:.3g}<br>loss %{y:.4g}",
    )
    figure.add_scatter(
        x=tested.rates,
        y=tested.smoothed,
        mode="lines",
        name="smoothed",
        line={"color": style.ENSEMBLE, "width": 2},
        hoverinfo="skip",
    )
    marks = {"suggestion": (tested.suggestion, style.SINGLE), "now": (current, style.MUTED)}
    for name, (rate, color) in marks.items():
        if rate is not None:
            figure.add_vline(
                x=rate,
                line={"color": color, "dash": "dash", "width": 1.5},
                annotation_text=f"{name} {style.number(rate)}",
                annotation_position="top" if name == "suggestion" else "bottom",
            )
    figure.update_xaxes(title_text="learning rate", **style.log_axis(tested.rates))
    span = float(smoothed.max() - smoothed.min()) or 1.0
    # Spikes are cut off, so that the fall stays visible.
    low, high = float(smoothed.min() - 0.15 * span), float(smoothed.max() + 0.3 * span)
    figure.update_yaxes(title_text="training loss", range=[low, high])
    return figure
