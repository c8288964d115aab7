"""The checks of what a user gives to a domain."""

import math
from typing import Literal, TypeGuard, get_args

from ripieno.errors import SpaceError
from ripieno.space.config import Value, plain

__all__ = [
    "Confidence",
    "check_choice",
    "check_confidence",
    "check_range",
    "check_real",
    "check_whole",
]

Confidence = Literal["low", "medium", "high"]

# The magnitudes whose rounding errors the scales allow for.
_SMALLEST, _LARGEST = 1e-300, 1e300


def check_real(name: str, value: object, *, where: str) -> float:
    """Return a bound or a step as a float that the scales can work with.

    Raises:
        SpaceError: It is no number, not finite, or of an extreme magnitude.
    """
    if _is_number(value) and (value == 0 or _SMALLEST <= abs(value) <= _LARGEST):
        return float(value) + 0.0  # never a negative zero
    raise SpaceError(
        f"{name} = {value!r} is no finite number that can be searched.",
        where=where,
        fix=f"give {name} as 0, or as a number of a magnitude from {_SMALLEST} to {_LARGEST}.",
    )


def check_whole(name: str, value: object, *, where: str) -> int:
    """Return a bound or a step as an int.

    Raises:
        SpaceError: It is not a whole number.
    """
    if _is_number(value) and (isinstance(value, int) or value.is_integer()):
        return int(value)
    raise SpaceError(
        f"{name} = {value!r} is not a whole number.",
        where=where,
        fix="use Float for real numbers, or round the bounds.",
    )


def check_choice(value: Value, *, where: str) -> Value:
    """Return a choice as a builtin that a config can store and find again.

    Raises:
        SpaceError: A config cannot store it, or it equals nothing.
    """
    try:
        choice = plain(value)
    except TypeError:
        raise SpaceError(
            f"{value!r} is a {type(value).__name__}, which a config cannot store.",
            where=where,
            fix="name the choices with strings and look the object up in the model.",
        ) from None
    if isinstance(choice, float) and math.isnan(choice):
        raise SpaceError(
            "nan equals no value, not even itself.",
            where=where,
            fix="name the choice with a string or None.",
        )
    return choice


def check_range(
    low: float, high: float, *, log: object, step: float | None, where: str, positive: str
) -> None:
    """Refuse bounds, scale and step that do not go together.

    Args:
        low: Smallest value.
        high: Largest value.
        log: Whether the scale is logarithmic.
        step: The step that was asked for, or None.
        where: The domain as its user wrote it.
        positive: A number above zero, as an example in the message.

    Raises:
        SpaceError: They do not.
    """
    if low > high:
        raise SpaceError(
            f"low = {low} is above high = {high}.", where=where, fix="exchange the bounds."
        )
    if step is not None and step <= 0:
        raise SpaceError(f"step = {step} is not positive.", where=where, fix="give a step > 0.")
    if not isinstance(log, bool):
        raise SpaceError(
            f"log = {log!r} is neither True nor False.",
            where=where,
            fix="say log=True for a log scale.",
        )
    if log and low <= 0:
        raise SpaceError(
            f"a log scale cannot start at low = {low}: "
            "the logarithm of a number that is not positive does not exist.",
            where=where,
            fix=f"raise `low` above zero (for example {positive}), or drop `log=True`.",
        )
    if log and step is not None:
        raise SpaceError(
            "a log scale has no even steps.",
            where=where,
            fix="drop `log=True` or `step`, or list the values in a Categorical.",
        )


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_confidence(confidence: object, *, default: object, where: str) -> None:
    """Refuse a prior that says nothing, or is sure of no value.

    Raises:
        SpaceError: The confidence is no word for one, or there is no default to be sure of.
    """
    words = get_args(Confidence)
    if confidence is None or (confidence in words and default is not None):
        return
    if confidence in words:
        problem, fix = "there is no default to be sure of", "give `default=` too"
    else:
        problem = f"confidence = {confidence!r} is no word for how sure you are"
        fix = f"use one of {', '.join(map(repr, words))}, or None"
    raise SpaceError(f"{problem}.", where=where, fix=f"{fix}.")
