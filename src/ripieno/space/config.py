"""One choice out of a space."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ripieno.errors import SpaceError

__all__ = ["Config", "Value", "plain"]

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))

Value = bool | int | float | str | None


def plain(value: Value) -> Value:
    """Return the value as a builtin: a NumPy float or a string enumeration becomes plain.

    So a value keeps its type on the way through JSON and back.

    Raises:
        TypeError: The value is not a bool, int, float, str or None.
    """
    if value is None or type(value) in {bool, int, float, str}:
        return value
    # Not `str(value)`, which is the name of an enumeration's member.
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"a {type(value).__name__} is no value of a config")


class Config(Mapping[str, Value]):
    """An immutable, ordered choice of one value a hyperparameter.

    Inactive hyperparameters are absent. Values are read as items (``config["lr"]``)
    or attributes (``config.lr``); use ``config.get("momentum", 0.0)`` for one that may
    be inactive. Two configs are equal when they hold the same names and values.

    Args:
        values: Names and values; JSON-able scalars only.

    Raises:
        SpaceError: A value is not a bool, int, float, str or None.
    """

    __slots__ = ("_text", "_values")

    def __init__(self, values: Mapping[str, Value]) -> None:
        chosen: dict[str, Value] = {}
        for name, value in values.items():
            try:
                chosen[name] = plain(value)
            except TypeError:
                raise SpaceError(
                    f"{name!r} holds a {type(value).__name__}, which a config cannot store.",
                    where=f"Config({name}={value!r})",
                    fix="use a bool, int, float, str or None, and build the object from it.",
                ) from None
        object.__setattr__(self, "_values", chosen)
        object.__setattr__(self, "_text", None)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        # Any, not Value: `config.filters * 2` must type-check in a user's model factory.
        try:
            return object.__getattribute__(self, "_values")[name]
        except KeyError:
            known = ", ".join(self._values) or "nothing"
            raise AttributeError(
                f"this config has no {name!r}; it holds {known}. "
                f"A hyperparameter whose condition is not met is absent: "
                f"read it with config.get({name!r}, default)."
            ) from None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Config is immutable; {name!r} cannot be set")

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Config):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value!r}' for name, value in self.items())})"

    def __reduce__(self) -> tuple[object, ...]:
        return Config, (dict(self._values),)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def to_json(self) -> str:
        """Return the config as canonical JSON: sorted names, shortest exact floats."""
        if self._text is None:
            # Kept: a study is replayed by comparing hundreds of thousands of configs.
            object.__setattr__(self, "_text", _CANONICAL.encode(self._values))
        return str(self._text)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that are the same for equal configs in any process."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]
