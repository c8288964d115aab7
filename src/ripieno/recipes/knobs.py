"""The hyperparameters that configure training: names, defaults, meanings, allowed values."""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ripieno.errors import RecipeError
from ripieno.space import Value

__all__ = ["KNOBS", "Knob", "Knobs", "check_knob", "closest", "read_knobs"]


@dataclass(frozen=True, slots=True)
class Knob:
    """One hyperparameter of training.

    Args:
        default: Its value where a config does not hold it.
        meaning: What it does.
        choices: The allowed values; empty for a number.
        low: Smallest allowed number.
        high: Largest allowed number.
        open_ends: The ends at which a number is refused: ``"low"``, ``"high"``.
        whole: Only whole numbers.
    """

    default: Value
    meaning: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = math.inf
    open_ends: tuple[str, ...] = ()
    whole: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values in words, such as ``0 <= value < 1``."""
        if self.choices:
            return ", ".join(map(repr, self.choices))
        text = f"{self.low:g} {'<' if 'low' in self.open_ends else '<='} value"
        if math.isfinite(self.high):
            text += f" {'<' if 'high' in self.open_ends else '<='} {self.high:g}"
        return text + (", whole" if self.whole else "")

    def allows(self, value: Value) -> bool:
        """Say whether the knob can be set to the value."""
        if self.choices:
            return any(value == c and type(value) is type(c) for c in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not math.isfinite(value) or (self.whole and int(value) != value):
            return False
        above = self.low < value if "low" in self.open_ends else self.low <= value
        below = value < self.high if "high" in self.open_ends else value <= self.high
        return above and below


def _knob(default: Value, meaning: str, *choices: Value, **limits: Any) -> Knob:
    return Knob(default, meaning, choices, **limits)


_UNDER_ONE: dict[str, Any] = {"high": 1.0, "open_ends": ("high",)}
_POSITIVE: dict[str, Any] = {"open_ends": ("low",)}

KNOBS: Mapping[str, Knob] = MappingProxyType(
    {
        "optimizer": _knob("adam", "the update rule", "sgd", "adam", "adamw", "rmsprop"),
        "lr": _knob(1e-3, "the learning rate that the schedule scales", **_POSITIVE),
        "momentum": _knob(0.0, "momentum of sgd and rmsprop", **_UNDER_ONE),
        "nesterov": _knob(False, "sgd looks ahead along its momentum", False, True),
        "beta1": _knob(0.9, "decay of the mean gradient of adam and adamw", **_UNDER_ONE),
        "beta2": _knob(0.999, "decay of the mean squared gradient of adam and adamw", **_UNDER_ONE),
        "alpha": _knob(0.99, "decay of the mean squared gradient of rmsprop", **_UNDER_ONE),
        "eps": _knob(1e-8, "what adam, adamw and rmsprop add to the denominator", **_POSITIVE),
        "weight_decay": _knob(
            0.0, "L2 penalty: added to the gradient, decoupled from it for adamw"
        ),
        "l1": _knob(0.0, "L1 penalty on weights (parameters of two or more axes)"),
        "gradient_clip": _knob(0.0, "largest norm of the whole gradient; 0 leaves it alone"),
        "batch_size": _knob(32, "examples a step", low=1.0, whole=True),
        "label_smoothing": _knob(
            0.0, "share of the target that goes to all classes alike", high=1.0
        ),
        "class_weights": _knob(None, "weight classes inversely to their size", None, "balanced"),
        "schedule": _knob(
            "constant",
            "how the learning rate falls over the recipe's epochs",
            "constant",
            "cosine",
            "exponential",
            "polynomial",
        ),
        "schedule_gamma": _knob(
            0.9, "factor an epoch of the exponential schedule", high=1.0, **_POSITIVE
        ),
        "schedule_power": _knob(1.0, "exponent of the polynomial schedule", **_POSITIVE),
        "warmup_epochs": _knob(0.0, "epochs over which the learning rate rises from zero"),
        "init": _knob(
            "torch",
            "first weights of linear layers and convolutions; torch: the constructor's own",
            "torch",
            "kaiming_normal",
            "kaiming_uniform",
            "xavier_normal",
            "xavier_uniform",
            "orthogonal",
        ),
        "init_gain": _knob(1.0, "factor of the first weights, if init draws them", **_POSITIVE),
        "flip": _knob(0.0, "images: probability of a mirror image, left for right", high=1.0),
        "crop_padding": _knob(
            0, "images: pixels by which they are shifted at most, in height and width", whole=True
        ),
        "rotation": _knob(0.0, "images: degrees by which they are rotated at most", high=180.0),
        "cutout": _knob(0.0, "images: side of a blank rectangle, as a share of theirs", high=1.0),
        "color_jitter": _knob(
            0.0, "images: largest change of brightness, contrast and saturation", high=1.0
        ),
    }
)
"""Names of hyperparameters that configure training; every other one goes to the model."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """The knobs of one config, every one with a value; see :data:`KNOBS` for meanings."""

    optimizer: str
    lr: float
    momentum: float
    nesterov: bool
    beta1: float
    beta2: float
    alpha: float
    eps: float
    weight_decay: float
    l1: float
    gradient_clip: float
    batch_size: int
    label_smoothing: float
    class_weights: str | None
    schedule: str
    schedule_gamma: float
    schedule_power: float
    warmup_epochs: float
    init: str
    init_gain: float
    flip: float
    crop_padding: int
    rotation: float
    cutout: float
    color_jitter: float


def read_knobs(config: Mapping[str, Value]) -> Knobs:
    """Return the knobs of a config, defaults filled in.

    Raises:
        RecipeError: A knob has a value that is not allowed.
    """
    for name in config:
        check_knob(name, config[name])
    values: dict[str, Any] = {name: config.get(name, knob.default) for name, knob in KNOBS.items()}
    # A batch size chosen by a Float domain is whole, but of the wrong type.
    for name in ("batch_size", "crop_padding"):
        values[name] = int(values[name])
    return Knobs(**values)


def check_knob(name: str, value: Value) -> None:
    """Refuse a value that the knob of this name does not allow; other names pass.

    Raises:
        RecipeError: The value is not allowed.
    """
    knob = KNOBS.get(name)
    if knob is None or knob.allows(value):
        return
    raise RecipeError(
        f"{name!r} cannot be {value!r}.",
        where=f"the training hyperparameter {name!r}: {knob.meaning}",
        fix=f"use {knob.allowed}.{closest(value, knob.choices)}",
    )


def closest(value: object, choices: Iterable[Value]) -> str:
    """Return `` Did you mean 'adam'?`` where a choice looks like the value, else nothing."""
    names = [choice for choice in choices if isinstance(choice, str)]
    found = difflib.get_close_matches(str(value).lower(), names, n=1)
    return f" Did you mean {found[0]!r}?" if found else ""
