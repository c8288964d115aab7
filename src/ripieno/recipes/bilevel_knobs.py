"""The knobs that can tune themselves on the validation part while a model trains."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["BILEVEL", "STARTS", "bilevel_names", "hypergradient_fault", "started"]

STARTS: Mapping[str, float] = MappingProxyType(
    {
        "weight_decay": 1e-4,
        "l1": 1e-5,
        "label_smoothing": 0.05,
        "focal_gamma": 2.0,
        "huber_delta": 1.0,
        "input_noise": 0.05,
        "mixup": 0.2,
        "rotation": 5.0,
        "color_jitter": 0.1,
    }
)
"""By name where one begins that a config leaves at zero, from where no step leads away."""

BILEVEL: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in STARTS},
        "weight_decay_per_layer": "weight_decay",
        "weight_decay_per_parameter": "weight_decay",
        "class_weights": "class_weights",
        "pos_weight": "pos_weight",
    }
)
"""What can tune itself, and the knob that says where it begins. Those by layer, by parameter, by
class or label are as many numbers as there are of these."""

_NO_GRADIENT: Mapping[str, str] = MappingProxyType(
    {
        "batch_size": "is a count",
        "flip": "mirrors an image or not",
        "crop_padding": "counts whole pixels",
        "cutout": "blanks whole pixels",
        "cutmix": "pastes whole pixels",
        "dropout": "drops a unit or not",
        "momentum": "is forgotten at a minimum",
        "max_norm": "is no part of the loss",
        "gradient_clip": "is no part of the loss",
        "gradient_clip_value": "is no part of the loss",
        "quantile_level": "says what is predicted",
    }
)
"""Why no hypergradient tunes some others."""


def bilevel_names(chosen: str) -> tuple[str, ...]:
    """Return which of them tune themselves.

    Args:
        chosen: The knob ``hypergradient``.
    """
    return tuple(name for name in BILEVEL if name in chosen.split("+"))


def started(values: Mapping[str, Any]) -> dict[str, float]:
    """Return where those begin that tune themselves and that a config leaves at zero.

    Args:
        values: The config's knobs.
    """
    knobs = [BILEVEL[name] for name in bilevel_names(str(values.get("hypergradient", "off")))]
    return {knob: STARTS[knob] for knob in knobs if knob in STARTS and not values.get(knob)}


def hypergradient_fault(chosen: object) -> str:
    """Return what is wrong with what is asked for; empty where nothing is known of that.

    Args:
        chosen: The knob ``hypergradient``.
    """
    parts = str(chosen).split("+")
    stiff = [name for name in parts if name in _NO_GRADIENT]
    if stiff:
        return f"{stiff[0]} {_NO_GRADIENT[stiff[0]]}, which has no gradient"
    knobs = [BILEVEL.get(name) for name in parts]
    twice = [n for n, knob in zip(parts, knobs, strict=True) if knob and knobs.count(knob) > 1]
    return f"{' and '.join(twice)} tune one hyperparameter in several ways" if twice else ""
