"""One choice out of a space."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ripieno.errors import SpaceError

__all__ = ["Config", "Value"]

Value = bool | int | float | str | None


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

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Value]) -> None:
        for name, value in values.items():
            if not isinstance(value, bool | int | float | str | None):
                raise SpaceError(
                    f"{name!r} holds a {type(value).__name__}, which a config cannot store.",
                    where=f"Config({name}={value!r})",
                    fix="use a bool, int, float, str or None, and build the object from it.",
                )
        object.__setattr__(self, "_values", dict(values))

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
        return hash(frozenset((name, type(v), v) for name, v in self._values.items()))

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
        return json.dumps(self._values, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that are the same for equal configs in any process."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]
