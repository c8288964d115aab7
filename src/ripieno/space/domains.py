"""What one hyperparameter may be, and how it maps to the unit interval.

Every domain has a canonical form for its values: floats lie on a decimal grid (see
``scales.py``), so that ``decode(encode(value)) == value`` holds exactly and a config read
back from JSON or from a unit vector is the same config, bit for bit.
"""

import copy
import math
from dataclasses import dataclass, field
from functools import lru_cache
from types import EllipsisType
from typing import Any, Protocol, Self, runtime_checkable

from ripieno.errors import SpaceError
from ripieno.space.checks import (
    Confidence,
    check_choice,
    check_confidence,
    check_range,
    check_real,
    check_whole,
)
from ripieno.space.config import Value
from ripieno.space.scales import Evenly, Linear, Logarithmic, Point, Scale

__all__ = ["Categorical", "Condition", "Constant", "Domain", "Float", "Int"]

# So many whole numbers can be told apart in the unit interval, on either scale.
_MOST = 10**12

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
        confidence: How sure you are that good values lie near ``default``: ``"low"``,
            ``"medium"`` or ``"high"``; None draws as if nothing were known (see ``priors.py``).
    """

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)
    step: float | None = field(default=None, kw_only=True)
    default: float | None = field(default=None, kw_only=True)
    confidence: Confidence | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        where = _call(self)
        check_confidence(self.confidence, default=self.default, where=where)
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if name != "step" or value is not None:
                object.__setattr__(self, name, check_real(name, value, where=where))
        check_range(self.low, self.high, log=self.log, step=self.step, where=where, positive="1e-6")
        scale = self._scale
        if isinstance(scale, Evenly) and scale.too_fine:
            raise SpaceError(
                f"step = {self.step} is too fine to be told apart in twelve digits.",
                where=where,
                fix="drop `step`, or give a wider one.",
            )
        if self.default is not None:
            object.__setattr__(self, "default", self.canonical(self.default))

    @property
    def _scale(self) -> Scale:
        return _scale_between(self.low, self.high, self.step, log=self.log)

    @property
    def size(self) -> float:
        match self._scale:
            case Point():
                return 1
            case Evenly() as evenly:
                return evenly.size
        return math.inf

    @property
    def center(self) -> float:
        return self.decode(0.5) if self.default is None else self.default

    def nth(self, index: int) -> float:
        return self.decode((index + 0.5) / self.size)

    def canonical(self, value: float) -> float:
        """Return the value of the domain's grid that stands for ``value``."""
        return self.decode(self.encode(value))

    def encode(self, value: Value) -> float:
        number = float(_member(self, value))
        scale = self._scale
        if isinstance(scale, Evenly) and not scale.holds(number):
            raise _not_in(self, value)
        return scale.encode(number)

    def decode(self, unit: float) -> float:
        return self._scale.decode(unit)


@dataclass(frozen=True, slots=True, repr=False)
class Int(_Conditional):
    """A whole number in ``[low, high]``, both ends included.

    Args:
        low: Smallest value.
        high: Largest value.
        log: Uniform in the logarithm; needs ``low > 0``; not together with ``step``.
        step: Only ``low, low + step, …`` up to ``high``.
        default: The value of trial 0; the middle of the scale where absent.
        confidence: How sure you are of ``default``; see :class:`Float`.
    """

    low: int
    high: int
    log: bool = field(default=False, kw_only=True)
    step: int = field(default=1, kw_only=True)
    default: int | None = field(default=None, kw_only=True)
    confidence: Confidence | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        where = _call(self)
        check_confidence(self.confidence, default=self.default, where=where)
        for name in ("low", "high", "step"):
            value = check_whole(name, getattr(self, name), where=where)
            object.__setattr__(self, name, value)
        step = None if self.step == 1 else self.step
        check_range(self.low, self.high, log=self.log, step=step, where=where, positive="1")
        if self.size > _MOST or (self.log and self.high > _MOST):
            raise SpaceError(
                f"the range has more than {_MOST:,} whole numbers.",
                where=where,
                fix="narrow it, widen `step`, or use a Float and round it in the model.",
            )
        if self.default is not None:
            object.__setattr__(self, "default", self.decode(self.encode(self.default)))

    @property
    def size(self) -> float:
        return (self.high - self.low) // self.step + 1

    @property
    def center(self) -> int:
        return self.decode(0.5) if self.default is None else self.default

    def nth(self, index: int) -> int:
        return self.low + index * self.step

    def encode(self, value: Value) -> float:
        number = _member(self, value)
        index, rest = divmod(int(number) - self.low, self.step)
        if int(number) != number or rest:
            raise _not_in(self, value)
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return (math.log(number) - low) / (high - low)
        return (index + 0.5) / self.size

    def decode(self, unit: float) -> int:
        if self.log:
            # Each number owns the stretch from half below to half above it.
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + unit * (high - low))), self.low), self.high)
        return self.low + self.step * min(max(int(unit * self.size), 0), int(self.size) - 1)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Categorical(_Conditional):
    """One of several choices without an order.

    Args:
        choices: Bools, numbers, strings or None; no choice twice.
        default: The value of trial 0; the first choice where absent.
        confidence: How sure you are of ``default``; see :class:`Float`.
    """

    choices: tuple[Value, ...]
    default: Value
    confidence: Confidence | None

    def __init__(
        self,
        *choices: Value,
        default: Value | EllipsisType = ...,
        confidence: Confidence | None = None,
        conditions: tuple[Condition, ...] = (),
    ) -> None:
        where = f"Categorical({', '.join(map(repr, choices))})"
        if not choices:
            raise SpaceError(
                "a categorical hyperparameter needs at least one choice.",
                where=where,
                fix='name the choices: Categorical("relu", "gelu").',
            )
        choices = tuple(check_choice(choice, where=where) for choice in choices)
        if len({(type(c), c) for c in choices}) != len(choices):
            raise SpaceError("a choice stands twice.", where=where, fix="name each choice once.")
        check_confidence(confidence, default=choices[0], where=where)
        object.__setattr__(self, "conditions", conditions)
        object.__setattr__(self, "confidence", confidence)
        object.__setattr__(self, "choices", choices)
        index = 0 if default is ... else self._index(check_choice(default, where=where))
        object.__setattr__(self, "default", choices[index])

    @property
    def size(self) -> float:
        return len(self.choices)

    @property
    def center(self) -> Value:
        return self.default

    def nth(self, index: int) -> Value:
        return self.choices[index]

    def encode(self, value: Value) -> float:
        return (self._index(value) + 0.5) / len(self.choices)

    def _index(self, value: Value) -> int:
        for index, choice in enumerate(self.choices):
            if choice == value and type(choice) is type(value):
                return index
        raise _not_in(self, value)

    def decode(self, unit: float) -> Value:
        return self.choices[min(max(int(unit * self.size), 0), len(self.choices) - 1)]


@dataclass(frozen=True, slots=True, repr=False)
class Constant(_Conditional):
    """A single value: part of every config, and of no search."""

    value: Value

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", check_choice(self.value, where=_call(self)))

    @property
    def size(self) -> float:
        return 1

    @property
    def center(self) -> Value:
        return self.value

    def nth(self, index: int) -> Value:  # noqa: ARG002 - there is only one
        return self.value

    def encode(self, value: Value) -> float:
        if value != self.value or isinstance(value, bool) != isinstance(self.value, bool):
            raise _not_in(self, value)
        return 0.5

    def decode(self, unit: float) -> Value:  # noqa: ARG002 - there is nothing to choose
        return self.value


@lru_cache(maxsize=1024)  # asked for at every value, and a function of these alone
def _scale_between(low: float, high: float, step: float | None, *, log: bool) -> Scale:
    if low == high:
        return Point(low)
    if step is not None:
        return Evenly(low, high, step)
    # On so narrow a range the two are the same, and logarithms would lose digits.
    if log and high / 2 - low / 2 > 1e-8 * low:
        return Logarithmic(low, high)
    return Linear(low, high)


def _call(domain: Any) -> str:
    """Return the domain as its user would write it."""
    if isinstance(domain, Categorical):
        return f"Categorical({', '.join(map(repr, domain.choices))})"
    if isinstance(domain, Constant):
        return f"Constant({domain.value!r})"
    text = f"{type(domain).__name__}(low={domain.low!r}, high={domain.high!r}"
    if domain.log:
        text += ", log=True"
    if domain.step is not None and domain.step != 1:
        text += f", step={domain.step!r}"
    return text + ")"


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
