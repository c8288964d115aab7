"""Whether what was read from a file has the types that a record's fields are annotated with."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

__all__ = ["check_fields"]


def check_fields(record: Any) -> None:
    """Refuse a dataclass of which a field holds what its annotation does not allow.

    A whole number may stand for a float, as JSON writes it, and must be one that a float
    can hold.

    Args:
        record: A dataclass that was made of a file's content; those in its fields are looked
            at too.

    Raises:
        TypeError: A field holds something else.
    """
    hints = get_type_hints(type(record))
    for field in fields(record):
        value = getattr(record, field.name)
        if not _fits(value, hints[field.name]):
            raise TypeError(f"{field.name} = {_short(value)} is no {hints[field.name]}")


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in {Union, types.UnionType}:
        return any(_fits(value, each) for each in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if isinstance(origin, type):
        return _holds(value, origin, inner)
    if hint is float:
        return _is_number(value)
    if is_dataclass(hint) and type(value) is hint:
        check_fields(value)
        return True
    return type(value) is (types.NoneType if hint is None else hint)


def _holds(value: Any, kind: type, inner: tuple[Any, ...]) -> bool:
    """Say whether a mapping or a sequence holds what it is annotated with."""
    if issubclass(kind, Mapping):
        return isinstance(value, dict) and all(
            isinstance(name, str) and _fits(each, inner[1]) for name, each in value.items()
        )
    return isinstance(value, list | tuple) and all(_fits(each, inner[0]) for each in value)


def _is_number(value: object) -> bool:
    # Digits without end are whole numbers in JSON; a metric may be a truth value.
    return isinstance(value, float) or (isinstance(value, int) and value.bit_length() < 1000)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
