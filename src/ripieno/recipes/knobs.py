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
        "loss": _knob(
            None,
            "what is minimized; None takes the recipe's own, or the task's",
            None,
            "cross_entropy",
            "focal",
            "binary_cross_entropy",
            "mse",
            "l1",
            "huber",
            "quantile",
        ),
        "label_smoothing": _knob(
            0.0,
            "share of the target that goes to all classes alike, for cross_entropy",
            high=1.0,
        ),
        "class_weights": _knob(
            None,
            "weigh classes inversely to their size, or as the recipe gives it",
            None,
            "balanced",
            "given",
        ),
        "pos_weight": _knob(
            None,
            "weigh rows with a label by rows without it, or as the recipe gives it",
            None,
            "balanced",
            "given",
        ),
        "focal_gamma": _knob(2.0, "how much less focal counts what is right already"),
        "huber_delta": _knob(
            1.0, "where huber turns linear, in the unit that is trained in", **_POSITIVE
        ),
        "quantile_level": _knob(
            0.5,
            "share of the targets below what quantile predicts",
            high=1.0,
            open_ends=("low", "high"),
        ),
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
    loss: str | None
    label_smoothing: float
    class_weights: str | None
    pos_weight: str | None
    focal_gamma: float
    huber_delta: float
    quantile_level: float
    schedule: str
    schedule_gamma: float
    schedule_power: float
    warmup_epochs: float


def read_knobs(config: Mapping[str, Value]) -> Knobs:
    """Return the knobs of a config, defaults filled in.

    Raises:
        RecipeError: A knob has a value that is not allowed.
    """
    for name in config:
        check_knob(name, config[name])
    values: dict[str, Any] = {name: config.get(name, knob.default) for name, knob in KNOBS.items()}
    # A batch size chosen by a Float domain is whole, but of the wrong type.
    values["batch_size"] = int(values["batch_size"])
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
