"""Plain SVG pictures of results: bars with targets, and dots with their quartiles.

A picture is text, needs no library to be made, and looks the same wherever it is read.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import quantiles

__all__ = [
    "COLORS",
    "INK",
    "LINE",
    "MUTED",
    "WIDTH",
    "Bars",
    "Lane",
    "Sheet",
    "bars",
    "lanes",
    "quartiles",
]

Point = tuple[float, float]

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 900, 300, 60, 92, 44
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8a5a00")
INK, MUTED, LINE, MARK = "#1f2933", "#52606d", "#e4e7eb", "#a4133c"
FONT = "system-ui, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars beside one another.

    Args:
        label: What they belong to.
        values: Length by series, positive; a series without one has no bar.
        target: Where the mark of the target stands; None for none.
    """

    label: str
    values: Mapping[str, float]
    target: float | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """Measurements of one kind.

    Args:
        label: What was measured.
        values: The numbers, positive.
        limit: Numbers from here on are drawn hollow; None for no limit.
    """

    label: str
    values: Sequence[float]
    limit: float | None = None


def bars(path: Path, groups: Sequence[Bars], *, title: str, caption: str, axis: str) -> Path:
    """Draw groups of horizontal bars from 1x on, each group with the mark of its target."""
    series = list(dict.fromkeys(name for group in groups for name in group.values))
    tall = 15 * len(series) + 16
    everything = [value for group in groups for value in group.values.values()]
    everything += [group.target for group in groups if group.target is not None]
    canvas = _Canvas(
        0.9 * min(0.5, *everything), 1.35 * max(everything), height=TOP + tall * len(groups)
    )
    canvas.head(title, caption)
    canvas.axis(axis, "x")
    canvas.legend(series)
    for number, group in enumerate(groups):
        top = TOP + tall * number
        canvas.text((LEFT - 12, top + tall / 2 - 4), group.label, anchor="end")
        for row, (name, color) in enumerate(zip(series, COLORS, strict=False)):
            if name in group.values:
                canvas.bar(group.values[name], top + 15 * row, color)
        if group.target is not None:
            x = canvas.x(group.target)
            canvas.line((x, top - 4), (x, top + 15 * len(series) + 1), color=MARK, width=3)
    return canvas.write(path)


def lanes(
    path: Path, groups: Mapping[str, Sequence[Lane]], *, title: str, caption: str, axis: str
) -> Path:
    """Draw a lane of dots a measurement, with a line over its quartiles and its median."""
    values = [v for group in groups.values() for lane in group for v in lane.values]
    count = sum(map(len, groups.values()))
    canvas = _Canvas(
        0.8 * min(values), 1.25 * max(values), height=TOP + 34 * count + 30 * len(groups)
    )
    canvas.head(title, caption)
    canvas.axis(axis, " s")
    y = TOP
    for heading, group in groups.items():
        canvas.text((16, y + 10), heading, weight=600)
        y += 30
        for lane, color in zip(group, COLORS, strict=False):
            canvas.lane(lane, y, color)
            y += 34
    return canvas.write(path)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile; of one number, itself."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    first, middle, third = quantiles(values, n=4, method="inclusive")
    return first, middle, third


class Sheet:
    """Collects SVG elements on a white page, and writes them.

    Args:
        height: In units of the picture, whose width is ``WIDTH``.
    """

    def __init__(self, height: float) -> None:
        self.height = height
        self.parts = [f'<rect width="{WIDTH}" height="{height:g}" fill="white"/>']

    def head(self, title: str, caption: str) -> None:
        self.text((16, 26), title, size=17, weight=600)
        self.text((16, 47), caption, color=MUTED)

    def text(
        self, at: Point, words: str, *, size: int = 12, weight: int = 400, color: str = INK,
        anchor: str = "start",
    ) -> None:  # fmt: skip
        self.parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" font-size="{size}" font-weight="{weight}" '
            f'fill="{color}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def line(self, begin: Point, end: Point, *, color: str, width: float) -> None:
        self.parts.append(
            f'<line x1="{begin[0]:.1f}" y1="{begin[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
            f'stroke="{color}" stroke-width="{width}"/>'
        )

    def rectangle(self, corner: Point, size: Point, color: str) -> None:
        self.parts.append(
            f'<rect x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{size[0]:.1f}" '
            f'height="{size[1]:.1f}" fill="{color}"/>'
        )

    def write(self, path: Path) -> Path:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height:g}" '
            f'width="{WIDTH}" height="{self.height:g}" font-family="{FONT}">'
        )
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([head, *self.parts, "</svg>"]) + "\n")
        return path


class _Canvas(Sheet):
    """A sheet over one logarithmic axis from ``low`` to ``high``."""

    def __init__(self, low: float, high: float, *, height: int) -> None:
        self.low, self.high = math.log10(low), math.log10(high)
        super().__init__(height + BOTTOM)

    def x(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def axis(self, name: str, unit: str) -> None:
        """Draw lines at round numbers, fewer over a long range, and the name under them."""
        bottom = self.height - BOTTOM
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        steps = (1, 2, 5) if self.high - self.low > 1 else range(1, 10)
        for value in (step * 10.0**power for power in powers for step in steps):
            if self.low <= math.log10(value) <= self.high:
                x = self.x(value)
                color = MUTED if value == 1 and unit == "x" else LINE
                self.line((x, TOP - 8), (x, bottom), color=color, width=1)
                self.text((x, bottom + 15), f"{value:g}{unit}", color=MUTED, anchor="middle")
        self.text(((LEFT + WIDTH - RIGHT) / 2, self.height - 8), name, anchor="middle")

    def legend(self, series: Iterable[str]) -> None:
        x = 16.0
        for name, color in zip(series, COLORS, strict=False):
            self.rectangle((x, 60), (12, 12), color)
            self.text((x + 18, 70), name)
            x += 34 + 6.6 * len(name)
        self.line((x, 58), (x, 74), color=MARK, width=3)
        self.text((x + 8, 70), "at least")

    def bar(self, value: float, y: float, color: str) -> None:
        left, right = sorted((self.x(1.0), self.x(value)))
        self.rectangle((left, y), (max(right - left, 1.0), 12), color)
        self.text((right + 5, y + 10), f"{value:.2g}x" if value < 10 else f"{value:.0f}x")

    def lane(self, lane: Lane, y: float, color: str) -> None:
        self.text((LEFT - 12, y + 4), lane.label, anchor="end")
        first, middle, third = quartiles(lane.values)
        self.line((self.x(first), y), (self.x(third), y), color=color, width=6)
        self.line((self.x(middle), y - 11), (self.x(middle), y + 11), color=INK, width=2.5)
        for value in lane.values:
            hollow = lane.limit is not None and value >= lane.limit
            self.parts.append(
                f'<circle cx="{self.x(value):.1f}" cy="{y:.1f}" r="4" '
                f'fill="{"white" if hollow else color}" fill-opacity="0.8" stroke="{color}" '
                'stroke-width="1.5"/>'
            )
        self.text((WIDTH - RIGHT + 6, y + 4), f"{middle:.3g} s")
