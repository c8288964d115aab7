"""Plain SVG pictures of curves: small panels of lines with bands over their quartiles."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drawing import COLORS, INK, LINE, MUTED, WIDTH, Point, Sheet

__all__ = ["Curve", "Panel", "panels"]

ACROSS, TALL = 3, 220
TOP, LEGEND = 64, 18


_LETTER = 0.6
"""Width of a letter in sizes of its font."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line, and perhaps a band around it.

    Args:
        label: What the legend calls it; the same label has the same look in every panel.
        x: Ascending.
        y: One a point; NaN where there is none.
        low: Lower edge of the band, or nothing.
        high: Upper edge of the band, or nothing.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves over the same axes."""

    title: str
    curves: Sequence[Curve]


def panels(
    path: Path,
    drawn: Sequence[Panel],
    *,
    title: str,
    caption: str,
    x_axis: str,
    y_axis: str,
    log_x: bool = False,
    log_y: bool = True,
    floor: float = 1e-6,
) -> Path:
    """Draw panels side by side, three a row, each with ticks of its own.

    Args:
        path: Where to.
        drawn: The panels.
        title: Over all of them.
        caption: Under the title.
        x_axis: What the horizontal axes count.
        y_axis: What the vertical axes count.
        log_x: Whether the horizontal axes are logarithmic.
        log_y: Whether the vertical axes are logarithmic.
        floor: On a logarithmic axis, what smaller values are drawn as.
    """
    labels = list(dict.fromkeys(curve.label for panel in drawn for curve in panel.curves))
    columns = min(ACROSS, len(drawn))
    lines = math.ceil(len(labels) / 4)
    top = TOP + LEGEND * lines
    sheet = Sheet(top + TALL * math.ceil(len(drawn) / columns) + 30)
    sheet.head(title, caption)
    looks = {label: _look(number) for number, label in enumerate(labels)}
    for number, label in enumerate(labels):
        x, y = 16 + 218 * (number % 4), TOP + LEGEND * (number // 4)
        _stroke(sheet, [(x, y), (x + 26, y)], looks[label])
        sheet.text((x + 32, y + 4), label)
    for number, panel in enumerate(drawn):
        corner = (WIDTH / columns * (number % columns), top + TALL * (number // columns))
        frame = _Frame(panel, corner, WIDTH / columns, log_x=log_x, log_y=log_y, floor=floor)
        frame.draw(sheet, looks)
    axes = f"{x_axis}; upwards: {y_axis}" if y_axis else x_axis
    sheet.text((WIDTH / 2, sheet.height - 10), axes, anchor="middle")
    return sheet.write(path)


class _Frame:
    """The map from one panel's numbers to the page."""

    def __init__(
        self,
        panel: Panel,
        corner: Point,
        wide: float,
        *,
        log_x: bool,
        log_y: bool,
        floor: float,
    ) -> None:  # fmt: skip
        self.panel = panel
        self.left, self.right = corner[0] + 58, corner[0] + wide - 16
        self.top, self.bottom = corner[1] + 24, corner[1] + TALL - 26
        self.to_x = _scale(log_x, floor)
        self.to_y = _scale(log_y, floor)
        self.log_x, self.log_y = log_x, log_y
        self.xs = _range(self.to_x(v) for c in panel.curves for v in c.x)
        self.ys = _range(
            self.to_y(v) for c in panel.curves for v in [*c.y, *c.low, *c.high] if math.isfinite(v)
        )

    def at(self, x: float, y: float) -> Point:
        """Return where a point lies on the page."""
        across = (self.to_x(x) - self.xs[0]) / (self.xs[1] - self.xs[0])
        up = (self.to_y(y) - self.ys[0]) / (self.ys[1] - self.ys[0])
        return (
            self.left + across * (self.right - self.left),
            self.bottom - up * (self.bottom - self.top),
        )

    def draw(self, sheet: Sheet, looks: dict[str, tuple[str, str]]) -> None:
        title = self.panel.title
        size = min(12, int((self.right - self.left) / (_LETTER * max(1, len(title)))))
        sheet.text((self.left, self.top - 8), title, size=size, weight=600)
        for value in _ticks(self.ys, log=self.log_y):
            share = (self.to_y(value) - self.ys[0]) / (self.ys[1] - self.ys[0])
            y = self.bottom - share * (self.bottom - self.top)
            sheet.line((self.left, y), (self.right, y), color=LINE, width=1)
            sheet.text((self.left - 6, y + 4), f"{value:.3g}", color=MUTED, anchor="end", size=10)
        for value in _ticks(self.xs, log=self.log_x):
            share = (self.to_x(value) - self.xs[0]) / (self.xs[1] - self.xs[0])
            x = self.left + share * (self.right - self.left)
            sheet.line((x, self.bottom), (x, self.bottom + 4), color=MUTED, width=1)
            sheet.text((x, self.bottom + 15), f"{value:g}", color=MUTED, anchor="middle", size=10)
        sheet.line((self.left, self.bottom), (self.right, self.bottom), color=INK, width=1)
        for curve in self.panel.curves:
            if curve.low:
                self._band(sheet, curve, looks[curve.label][0])
        for curve in self.panel.curves:
            points = zip(curve.x, curve.y, strict=True)
            line = [self.at(x, y) for x, y in points if math.isfinite(y)]
            _stroke(sheet, line, looks[curve.label])

    def _band(self, sheet: Sheet, curve: Curve, color: str) -> None:
        edges = list(zip(curve.x, curve.low, curve.high, strict=True))
        edges = [edge for edge in edges if all(map(math.isfinite, edge))]
        outline = [self.at(x, low) for x, low, _ in edges]
        outline += [self.at(x, high) for x, _, high in reversed(edges)]
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in outline)
        sheet.parts.append(f'<polygon points="{text}" fill="{color}" fill-opacity="0.1"/>')


def _look(number: int) -> tuple[str, str]:
    """Return a color and a dash pattern that no other number up to 24 has."""
    return COLORS[number % len(COLORS)], ("", "6 3", "2 2", "9 3 2 3")[number // len(COLORS) % 4]


def _stroke(sheet: Sheet, points: Sequence[Point], look: tuple[str, str]) -> None:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    color, dashes = look
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    sheet.parts.append(
        f'<polyline points="{text}" fill="none" stroke="{color}" stroke-width="1.8"{dashed}/>'
    )


def _scale(log: bool, floor: float) -> Callable[[float], float]:  # noqa: FBT001 - one of two
    return (lambda value: math.log10(max(value, floor))) if log else float


def _range(values: Sequence[float] | object) -> tuple[float, float]:
    numbers = list(values)  # type: ignore[call-overload]
    low, high = min(numbers), max(numbers)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(ends: tuple[float, float], *, log: bool) -> list[float]:
    """Return round numbers between the ends of a scale, about four."""
    low, high = ends
    if log:
        powers = range(math.ceil(low), math.floor(high) + 1)
        if len(powers) >= 2:
            every = max(1, len(powers) // 4)
            return [10.0**power for power in powers][::every]
        low, high = 10.0**low, 10.0**high
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    while (high - low) / step > 5:
        step *= 2 if (high - low) / step <= 10 else 2.5
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
