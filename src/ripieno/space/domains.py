"""What one hyperparameter may be, and how it maps to the unit interval.

Every domain has a canonical form for its values: floats lie on a grid of twelve
significant digits, so that ``decode(encode(value)) == value`` holds exactly and a config
read back from JSON or from a unit vector is the same config, bit for bit.
"""

import copy
import math
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, Protocol, Self, runtime_checkable

from ripieno.errors import SpaceError
from ripieno.space.config import Value

__all__ = ["Categorical", "Condition", "Constant", "Domain", "Float", "Int"]

_DIGITS = 12

Condition = tuple[str, tuple[Value, ...]]
"""The name of a parent hyperparameter and the values of it that make a child active."""


@runtime_checkable
class Domain(Protocol):
    """The values of one hyperparameter. ``size`` is infinite for a continuous domain."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All of them must hold for the hyperparameter to be active."""

    @property
    def size(self) -> float:
        """The number of values; ``math.inf`` for a continuous domain."""

    @property
    def center(self) -> Value:
        """The value of the default config: ``default`` where given, else the middle."""

    def nth(self, index: int) -> Value:
        """Return value number ``index`` of a finite domain, ascending from 0."""

    def encode(self, value: Value) -> float:
        """Map a value of the domain to [0, 1]. Raises SpaceError for any other value."""

    def decode(self, unit: float) -> Value:
        """Map [0, 1] to a canonical value; uniform on the scale that the domain declares."""


@dataclass(frozen=True, slots=True, repr=False)
class _Conditional:
    """What all domains share: the conditions under which they are active."""

    conditions: tuple[Condition, ...] = field(default=(), kw_only=True)

    def when(self, **parents: Value | tuple[Value, ...] | list[Value]) -> Self:
        """Return a copy that is active only when each parent holds a given value.

        Args:
            parents: Names of other hyperparameters with one value, or a tuple or list of
                values of which any will do. A parent that is itself inactive makes its
                children inactive. Repeated calls add conditions.
        """
        added = tuple(
            (name, tuple(values) if isinstance(values, tuple | list) else (values,))
            for name, values in parents.items()
        )
        child = copy.copy(self)
        object.__setattr__(child, "conditions", self.conditions + added)
        return child

    def __repr__(self) -> str:
        conditions = "".join(f".when({parent}={v!r})" for parent, v in self.conditions)
        return _call(self) + conditions


@dataclass(frozen=True, slots=True, repr=False)
class Float(_Conditional):
    """A real number in ``[low, high]``.

    Args:
        low: Smallest value.
        high: Largest value.
        log: Uniform in the logarithm; needs ``low > 0``.
        step: Only ``low, low + step, …`` up to ``high``; not together with ``log``.
        default: The value of trial 0; the middle of the scale where absent.
    """

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)
    step: float | None = field(default=None, kw_only=True)
    default: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", _number(self, "low", self.low))
        object.__setattr__(self, "high", _number(self, "high", self.high))
        _check_range(self)
        if self.step is not None:
            object.__setattr__(self, "step", _number(self, "step", self.step))
        if self.default is not None:
            self.encode(self.default)
            object.__setattr__(self, "default", self.canonical(self.default))

    @property
    def size(self) -> float:
        if self.low == self.high:
            return 1
        return math.inf if self.step is None else _steps(self.low, self.high, self.step)

    @property
    def center(self) -> float:
        return self.decode(0.5) if self.default is None else self.default

    def nth(self, index: int) -> float:
        return self.decode((index + 0.5) / self.size)

    def canonical(self, value: float) -> float:
        """Return the value of the domain's grid that stands for ``value``."""
        return self.decode(self.encode(value))

    def encode(self, value: Value) -> float:
        number = _member(self, value)
        if self.low == self.high:
            return 0.5
        if self.step is not None:
            index = round((number - self.low) / self.step)
            return (min(index, int(self.size) - 1) + 0.5) / self.size
        if self.log:
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)

    def decode(self, unit: float) -> float:
        if self.step is not None:
            index = min(int(unit * self.size), int(self.size) - 1)
            return self._clip(self._round(self.low + index * self.step))
        # The ends are given by the user and need not lie on the grid.
        if unit <= 0.0:
            return self.low
        if unit >= 1.0:
            return self.high
        if self.log:
            value = self.low * math.exp(unit * math.log(self.high / self.low))
        else:
            value = self.low + unit * (self.high - self.low)
        return self._clip(self._round(value))

    def _round(self, value: float) -> float:
        if self.log:
            return float(f"{value:.{_DIGITS - 1}e}")
        # On a linear scale the rounding error of the map is that of the larger end.
        scale = max(abs(self.low), abs(self.high))
        return round(value, _DIGITS - 1 - math.floor(math.log10(scale))) if scale else value

    def _clip(self, value: float) -> float:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True, slots=True, repr=False)
class Int(_Conditional):
    """A whole number in ``[low, high]``, both ends included.

    Args:
        low: Smallest value.
        high: Largest value.
        log: Uniform in the logarithm; needs ``low > 0``; not together with ``step``.
        step: Only ``low, low + step, …`` up to ``high``.
        default: The value of trial 0; the middle of the scale where absent.
    """

    low: int
    high: int
    log: bool = field(default=False, kw_only=True)
    step: int = field(default=1, kw_only=True)
    default: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value:
                raise SpaceError(
                    f"{name} = {value!r} is not a whole number.",
                    where=_call(self),
                    fix="use Float for real numbers, or round the bounds.",
                )
            object.__setattr__(self, name, int(value))
        _check_range(self)
        if self.default is not None:
            self.encode(self.default)

    @property
    def size(self) -> float:
        return _steps(self.low, self.high, self.step)

    @property
    def center(self) -> int:
        return self.decode(0.5) if self.default is None else self.default

    def nth(self, index: int) -> int:
        return self.low + index * self.step

    def encode(self, value: Value) -> float:
        number = _member(self, value)
        if int(number) != number:
            raise _not_in(self, value)
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return (math.log(number) - low) / (high - low)
        index = (int(number) - self.low) / self.step
        if index != int(index):
            raise _not_in(self, value)
        return (index + 0.5) / self.size

    def decode(self, unit: float) -> int:
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + unit * (high - low))), self.low), self.high)
        return self.low + self.step * min(max(int(unit * self.size), 0), int(self.size) - 1)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Categorical(_Conditional):
    """One of several choices without an order.

    Args:
        choices: Bools, numbers, strings or None; no choice twice.
        default: The value of trial 0; the first choice where absent.
    """

    choices: tuple[Value, ...]
    default: Value

    def __init__(
        self,
        *choices: Value,
        default: Value | EllipsisType = ...,
        conditions: tuple[Condition, ...] = (),
    ) -> None:
        object.__setattr__(self, "conditions", conditions)
        object.__setattr__(self, "choices", tuple(choices))
        if not choices:
            raise SpaceError(
                "a categorical hyperparameter needs at least one choice.",
                where="Categorical()",
                fix='name the choices: Categorical("relu", "gelu").',
            )
        for choice in choices:
            if not isinstance(choice, bool | int | float | str | None):
                raise SpaceError(
                    f"the choice {choice!r} is a {type(choice).__name__}, "
                    "which a config cannot store.",
                    where=_call(self),
                    fix="name the choices with strings and look the object up in the model.",
                )
        if len({(type(c), c) for c in choices}) != len(choices):
            raise SpaceError(
                "a choice stands twice.", where=_call(self), fix="name each choice once."
            )
        object.__setattr__(self, "default", choices[0] if default is ... else default)
        self.encode(self.default)

    @property
    def size(self) -> float:
        return len(self.choices)

    @property
    def center(self) -> Value:
        return self.default

    def nth(self, index: int) -> Value:
        return self.choices[index]

    def encode(self, value: Value) -> float:
        for index, choice in enumerate(self.choices):
            if choice == value and type(choice) is type(value):
                return (index + 0.5) / len(self.choices)
        raise _not_in(self, value)

    def decode(self, unit: float) -> Value:
        return self.choices[min(max(int(unit * self.size), 0), len(self.choices) - 1)]


@dataclass(frozen=True, slots=True, repr=False)
class Constant(_Conditional):
    """A single value: part of every config, and of no search."""

    value: Value

    def __post_init__(self) -> None:
        if not isinstance(self.value, bool | int | float | str | None):
            raise SpaceError(
                f"the value is a {type(self.value).__name__}, which a config cannot store.",
                where=f"Constant({self.value!r})",
                fix="use a bool, number, string or None.",
            )

    @property
    def size(self) -> float:
        return 1

    @property
    def center(self) -> Value:
        return self.value

    def nth(self, index: int) -> Value:  # noqa: ARG002 - there is only one
        return self.value

    def encode(self, value: Value) -> float:
        if value != self.value:
            raise _not_in(self, value)
        return 0.5

    def decode(self, unit: float) -> Value:  # noqa: ARG002 - there is nothing to choose
        return self.value


def _call(domain: Any) -> str:
    """Return the domain as its user would write it."""
    if isinstance(domain, Categorical):
        return f"Categorical({', '.join(map(repr, domain.choices))})"
    if isinstance(domain, Constant):
        return f"Constant({domain.value!r})"
    text = f"{type(domain).__name__}(low={domain.low}, high={domain.high}"
    if domain.log:
        text += ", log=True"
    if domain.step not in {None, 1}:
        text += f", step={domain.step}"
    return text + ")"


def _number(domain: Float, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SpaceError(
            f"{name} = {value!r} is not a finite number.",
            where=f"Float(low={domain.low!r}, high={domain.high!r})",
            fix=f"give a finite number as {name}.",
        )
    return float(value)


def _check_range(domain: Float | Int) -> None:
    if domain.low > domain.high:
        raise SpaceError(
            f"low = {domain.low} is above high = {domain.high}.",
            where=_call(domain),
            fix="exchange the bounds.",
        )
    if domain.log and domain.low <= 0:
        smallest = "1" if isinstance(domain, Int) else "1e-6"
        raise SpaceError(
            f"a log scale cannot start at low = {domain.low}: "
            "the logarithm of a number that is not positive does not exist.",
            where=_call(domain),
            fix=f"raise `low` above zero (for example {smallest}), or drop `log=True`.",
        )
    if domain.step is not None and (domain.step <= 0 or not math.isfinite(domain.step)):
        raise SpaceError(
            f"step = {domain.step} is not positive.", where=_call(domain), fix="give a step > 0."
        )
    if domain.log and domain.step not in {None, 1}:
        raise SpaceError(
            "a log scale has no even steps.",
            where=_call(domain),
            fix="drop `log=True` or `step`, or list the values in a Categorical.",
        )


def _steps(low: float, high: float, step: float) -> int:
    # A tenth of a millionth of a step forgives the rounding in (0.3 - 0.1) / 0.1.
    return int((high - low) / step + 1e-7) + 1


def _member(domain: Float | Int, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _not_in(domain, value)
    if not domain.low <= value <= domain.high:
        raise _not_in(domain, value)
    return value


def _not_in(domain: Any, value: object) -> SpaceError:
    return SpaceError(
        f"{value!r} is not a value of this domain.",
        where=_call(domain),
        fix="use a value of the domain, or widen the domain.",
    )
