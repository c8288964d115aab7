"""How numbers map to the unit interval and back, without a bit lost.

A real value lies on a decimal grid that is coarse enough for the rounding errors of the
map, and fine enough that nobody will miss the rest: twelve significant digits in the usual
case. So ``decode(encode(value)) == value`` holds exactly for every value of the grid. The
two ends belong to the grid as the user wrote them; grid points that crowd an end become it.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

__all__ = ["Evenly", "Linear", "Logarithmic", "Point", "Scale"]

_DIGITS = 12
# Beyond this magnitude the rounding error of a logarithm eats the twelfth digit.
_WIDE = 345.0
# Grid points nearer to an end than this part of a grid step become the end.
_CROWDED = 0.75
# A step of less than so many grid steps would lose digits of its values.
_FINEST_STEP = 1_000


class Scale(Protocol):
    """A one-to-one map between the grid of a domain and points of [0, 1]."""

    def encode(self, number: float) -> float:
        """Map a number between the ends to [0, 1]."""

    def decode(self, unit: float) -> float:
        """Map [0, 1] to the grid; what lies outside of [0, 1] becomes an end."""


@dataclass(frozen=True, slots=True)
class Point:
    """A range without width."""

    low: float

    def encode(self, number: float) -> float:  # noqa: ARG002 - there is only one
        """Return the middle."""
        return 0.5

    def decode(self, unit: float) -> float:  # noqa: ARG002 - there is nothing to choose
        """Return the only number."""
        return self.low


@dataclass(frozen=True, slots=True)
class Linear:
    """Uniform between two different ends."""

    low: float
    high: float

    @property
    def decimals(self) -> int:
        """Digits after the point: twelve in the width, or what the larger end leaves."""
        return _decimals(self.low, self.high)

    @property
    def grain(self) -> float:
        """The distance between two points of the grid."""
        return math.pow(10.0, -self.decimals)

    def encode(self, number: float) -> float:
        """Return the share of the width that lies below the number."""
        return (number - self.low) / (self.high - self.low)

    def decode(self, unit: float) -> float:
        """Return the grid point that is nearest to a share of the width."""
        if unit <= 0.0:
            return self.low
        if unit >= 1.0:
            return self.high
        return self.nearest(self.low + unit * (self.high - self.low))

    def nearest(self, number: float) -> float:
        """Return the nearest point of the grid, or the end that it crowds."""
        number = round(number, self.decimals) + 0.0  # never a negative zero
        crowded = _CROWDED * self.grain
        if number - self.low < crowded:
            return self.low
        if self.high - number < crowded:
            return self.high
        return number


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """Uniform in the logarithm between two different positive ends."""

    low: float
    high: float

    @property
    def digits(self) -> int:
        """Significant digits of the grid."""
        largest = max(abs(math.log(self.low)), abs(math.log(self.high)))
        return _DIGITS if largest < _WIDE else _DIGITS - 1

    def encode(self, number: float) -> float:
        """Return the share of the logarithm's width that lies below the number."""
        start = math.log(self.low)
        return (math.log(number) - start) / (math.log(self.high) - start)

    def decode(self, unit: float) -> float:
        """Return the grid point that is nearest to a share of the logarithm's width."""
        if unit <= 0.0:
            return self.low
        if unit >= 1.0:
            return self.high
        start = math.log(self.low)
        exact = math.exp(start + unit * (math.log(self.high) - start))
        number = float(f"{exact:.{self.digits - 1}e}")
        grain = math.pow(10.0, math.floor(math.log10(number)) - (self.digits - 1))
        if number - self.low < _CROWDED * grain:
            return self.low
        if self.high - number < _CROWDED * grain:
            return self.high
        return number


@dataclass(frozen=True, slots=True)
class Evenly:
    """The numbers ``low, low + step, …`` up to ``high``, each as likely as the others."""

    low: float
    high: float
    step: float

    @property
    def too_fine(self) -> bool:
        """Whether the steps are too small for the decimal grid to tell them apart."""
        return self.step < _FINEST_STEP * Linear(self.low, self.high).grain

    @property
    def size(self) -> int:
        """How many numbers there are."""
        # A millionth of a step forgives the rounding in (0.3 - 0.1) / 0.1.
        return int((self.high - self.low) / self.step + 1e-6) + 1

    def encode(self, number: float) -> float:
        """Return the middle of the number's share of the unit interval."""
        return (round((number - self.low) / self.step) + 0.5) / self.size

    def decode(self, unit: float) -> float:
        """Return the number whose share of the unit interval holds the point."""
        index = min(max(int(unit * self.size), 0), self.size - 1)
        return Linear(self.low, self.high).nearest(self.low + index * self.step)

    def holds(self, number: float) -> bool:
        """Say whether the number is one of these, but for rounding."""
        steps = (number - self.low) / self.step
        return abs(steps - round(steps)) < 1e-2 and round(steps) < self.size


@lru_cache(maxsize=1024)  # asked for at every value, and a function of the ends alone
def _decimals(low: float, high: float) -> int:
    by_width = _DIGITS - 1 - math.floor(math.log10(high - low))
    resolution = 8 * math.ulp(max(abs(low), abs(high)))
    return min(by_width, math.floor(-math.log10(resolution)))
