"""What models answered about labels, one by one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from ripieno.errors import ReportError
from ripieno.reports.figures import style

__all__ = ["labels"]

_MOST_LABELS = 40

Floats = NDArray[np.floating[Any]]


def labels(
    models: Mapping[str, Floats], targets: NDArray[np.int64], names: Sequence[str]
) -> go.Figure:
    """Draw each label's F1 beside how many rows have it, the hardest on top.

    Args:
        models: Probabilities by name, shape ``(rows, labels)``; the last one decides the order.
        targets: 0 and 1, same shape.
        names: Names of the labels.

    Raises:
        ReportError: The shapes do not match.
    """
    shapes = {p.shape for p in models.values()}
    if shapes != {targets.shape} or targets.ndim != 2 or len(names) != targets.shape[1]:
        raise ReportError(
            f"probabilities of the shapes {sorted(shapes)} are drawn beside labels of "
            f"{targets.shape}.",
            where="figures.labels",
            fix="give all of them the shape (rows, labels), and one name a label.",
        )
    scores = {label: _f1(p, targets) for label, p in models.items()}
    last = list(scores)[-1]
    shares = targets.mean(axis=0)
    order = np.argsort(scores[last], kind="stable")[:_MOST_LABELS]
    shown = [style.escape(names[k]) for k in order]
    hardest = int(order[0])
    rows = f"{int(targets[:, hardest].sum()):,} of {style.plural(len(targets), 'row')}"
    dropped = len(names) - len(order)
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, column_widths=[0.65, 0.35], horizontal_spacing=0.04
    )
    figure.update_layout(
        style.blank(
            f"The label {names[hardest]} is the hardest: F1 {scores[last][hardest]:.2f} of the "
            f"{last}, {rows} have it",
            "F1 is the harmonic mean of precision and recall of a label, where a probability "
            "above one half says that a row has it."
            + (f" The {dropped:,} easiest labels are left out." if dropped else ""),
            height=180 + 22 * len(shown),
        ).layout
    )
    looks = [style.MEMBER] * (len(models) - 2) + [style.SINGLE, style.ENSEMBLE][: len(models)]
    for (label, found), color in zip(scores.items(), looks, strict=True):
        figure.add_scatter(
            x=found[order], y=shown, mode="markers", name=style.escape(label),
            marker={"color": color, "size": 10}, hovertemplate="%{y}: F1 %{x:.3f}", row=1, col=1,
        )  # fmt: skip
    figure.add_bar(
        x=shares[order], y=shown, orientation="h", showlegend=False, name="rows",
        marker={"color": style.MEMBER}, hovertemplate="%{x:.1%} of the rows have %{y}",
        row=1, col=2,
    )  # fmt: skip
    figure.update_xaxes(title_text="F1", range=[-0.03, 1.03], row=1, col=1)
    figure.update_xaxes(title_text="rows with the label", tickformat=".0%", row=1, col=2)
    figure.update_yaxes(type="category", autorange="reversed", ticks="")
    return figure


def _f1(p: Floats, targets: NDArray[np.int64]) -> NDArray[np.float64]:
    said = p > 0.5
    both = (said & (targets == 1)).sum(axis=0)
    named: NDArray[np.int64] = said.sum(axis=0) + targets.sum(axis=0)
    scores: NDArray[np.float64] = 2 * both / np.maximum(named, 1)
    return scores
