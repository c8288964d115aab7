"""What a regression answered on rows held out: predicted against actual, and its errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from ripieno.errors import ReportError
from ripieno.reports.figures import style

__all__ = ["predicted", "residuals"]

_MOST_COLUMNS = 4
_MOST_POINTS = 2_000
_BINS = 12

Floats = NDArray[np.floating[Any]]


def predicted(models: Mapping[str, Floats], targets: Floats, names: Sequence[str]) -> go.Figure:
    """Draw what was predicted against what was true.

    Args:
        models: Values by name, shape ``(rows, columns)``; the last one stands in front.
        targets: True values, same shape.
        names: Names of the columns.

    Raises:
        ReportError: The shapes do not match.
    """
    _check(models, targets)
    name, values = list(models.items())[-1]
    left = ((targets - values) ** 2).sum(axis=0)
    whole = ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)
    varied = whole > 0
    share = f"{np.mean(1 - left[varied] / whole[varied]):.1%}" if varied.any() else "nothing"
    shown = range(min(len(names), _MOST_COLUMNS))
    rows = style.spread(len(targets), _MOST_POINTS)
    figure = _panels(
        f"The {name} explains {share} of the variance",
        "A point is a row; on the dashed line the prediction is right."
        + _omitted(len(rows), len(targets), unit="rows")
        + _omitted(len(shown), len(names), unit="columns"),
        panels=len(shown),
    )
    for column in shown:
        every = [targets[:, column], *(p[:, column] for p in models.values())]
        ends = [float(min(v.min() for v in every)), float(max(v.max() for v in every))]
        figure.add_scatter(
            x=ends, y=ends, mode="lines", showlegend=False, hoverinfo="skip",
            line={"color": style.MUTED, "width": 1, "dash": "dash"}, row=column + 1, col=1,
        )  # fmt: skip
        for (label, p), color in zip(models.items(), _colors(len(models)), strict=True):
            _add_points(
                figure, targets[rows, column], p[rows, column],
                label=label, color=color, column=column,
            )  # fmt: skip
        figure.update_xaxes(title_text=_title("actual", names, column), row=column + 1, col=1)
        figure.update_yaxes(title_text="predicted", row=column + 1, col=1)
    return figure


def residuals(models: Mapping[str, Floats], targets: Floats, names: Sequence[str]) -> go.Figure:
    """Draw the errors of the last model along its predictions, with their middle and width.

    Args:
        models: Values by name, shape ``(rows, columns)``.
        targets: True values, same shape.
        names: Names of the columns.

    Raises:
        ReportError: The shapes do not match.
    """
    _check(models, targets)
    name, values = list(models.items())[-1]
    errors = targets - values
    low, high = np.quantile(errors[:, 0], [0.05, 0.95])
    shown = range(min(len(names), _MOST_COLUMNS))
    rows = style.spread(len(targets), _MOST_POINTS)
    of = f" of {names[0]}" if len(names) > 1 else ""
    figure = _panels(
        f"Nine of ten errors{of} of the {name} lie between {style.number(float(low))} and "
        f"{style.number(float(high))}",
        "Actual less predicted. The line is the median of rows of like prediction, the band holds "
        "nine of ten: a line off zero is a bias, a band that widens an error that grows.",
        panels=len(shown),
    )
    color = _colors(len(models))[-1]
    for column in shown:
        _add_band(figure, values[:, column], errors[:, column], color=color, column=column)
        _add_points(
            figure, values[rows, column], errors[rows, column],
            label=name, color=color, column=column,
        )  # fmt: skip
        figure.add_hline(
            y=0, line={"color": style.MUTED, "width": 1, "dash": "dash"}, row=column + 1, col=1
        )
        figure.update_xaxes(title_text=_title("predicted", names, column), row=column + 1, col=1)
        figure.update_yaxes(title_text="error", row=column + 1, col=1)
    return figure


def _check(models: Mapping[str, Floats], targets: Floats) -> None:
    shapes = {p.shape for p in models.values()}
    if shapes == {targets.shape} and targets.ndim == 2 and targets.size:
        return
    raise ReportError(
        f"values of the shapes {sorted(shapes)} are drawn beside targets of {targets.shape}.",
        where="a figure of values",
        fix="give all of them the shape (rows, columns), with at least one row.",
    )


def _panels(title: str, caption: str, *, panels: int) -> go.Figure:
    figure = make_subplots(rows=panels, cols=1, vertical_spacing=0.3 / panels)
    figure.update_layout(style.blank(title, caption, height=180 + 320 * panels).layout)
    return figure


def _omitted(shown: int, there: int, *, unit: str) -> str:
    return f" {shown:,} of {there:,} {unit} are drawn." if shown < there else ""


def _title(word: str, names: Sequence[str], column: int) -> str:
    return style.escape(f"{word} {names[column]}" if len(names) > 1 else word)


def _add_points(
    figure: go.Figure, x: Floats, y: Floats, *, label: str, color: str, column: int
) -> None:
    figure.add_scatter(
        x=x, y=y, mode="markers", name=style.escape(label), legendgroup=label,
        showlegend=column == 0, marker={"color": color, "size": 5, "opacity": 0.5},
        hovertemplate="%{x:.4g}, %{y:.4g}", row=column + 1, col=1,
    )  # fmt: skip


def _add_band(figure: go.Figure, x: Floats, errors: Floats, *, color: str, column: int) -> None:
    """Add the median and the 5 % and 95 % quantiles of errors, over bins of equally many rows."""
    order = np.argsort(x, kind="stable")
    bins = [part for part in np.array_split(order, min(_BINS, max(1, len(x) // 20))) if len(part)]
    centers = [float(np.median(x[part])) for part in bins]
    low, middle, high = (
        [float(np.quantile(errors[part], level)) for part in bins] for level in (0.05, 0.5, 0.95)
    )
    for values, line, fill in ((low, 0, None), (high, 0, "tonexty"), (middle, 2, None)):
        figure.add_scatter(
            x=centers, y=values, mode="lines", showlegend=False, hoverinfo="skip", fill=fill,
            fillcolor="rgba(154, 165, 177, 0.25)", line={"color": color, "width": line},
            row=column + 1, col=1,
        )  # fmt: skip


def _colors(count: int) -> list[str]:
    return [style.MEMBER] * (count - 2) + [style.SINGLE, style.ENSEMBLE][:count]
