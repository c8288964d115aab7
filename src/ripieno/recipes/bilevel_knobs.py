"""The knobs that can tune themselves on the validation part while a model trains."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["STARTS", "bilevel_names", "started"]

STARTS: Mapping[str, float] = MappingProxyType(
    {
        "weight_decay": 1e-4,
        "l1": 1e-5,
        "label_smoothing": 0.05,
        "focal_gamma": 2.0,
        "input_noise": 0.05,
    }
)
"""By name where one begins that a config leaves at zero, from where no step leads away."""


def bilevel_names(chosen: str) -> tuple[str, ...]:
    """Return which of them tune themselves.

    Args:
        chosen: The knob ``hypergradient``.
    """
    return tuple(name for name in STARTS if name in chosen.split("+"))


def started(values: Mapping[str, Any]) -> dict[str, float]:
    """Return where those begin that tune themselves and that a config leaves at zero.

    Args:
        values: The config's knobs.
    """
    names = bilevel_names(str(values.get("hypergradient", "off")))
    return {name: STARTS[name] for name in names if not values.get(name)}
