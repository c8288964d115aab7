"""The hyperparameters that configure training: names, defaults, meanings, allowed values."""

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ripieno.errors import RecipeError
from ripieno.recipes.bilevel_knobs import BILEVEL, hypergradient_fault, started
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
        prefix: Names that begin with it are allowed beside the choices.
        joined: Several choices may be joined by ``+``, the default apart.
    """

    default: Value
    meaning: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = math.inf
    open_ends: tuple[str, ...] = ()
    whole: bool = False
    prefix: str = ""
    joined: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values in words, such as ``0 <= value < 1``."""
        if self.choices:
            names = [*map(repr, self.choices), *([f"'{self.prefix}NAME'"] if self.prefix else [])]
            return ", ".join(names) + (", or several joined by '+'" if self.joined else "")
        text = "None, " if self.default is None else ""
        text += f"{self.low:g} {'<' if 'low' in self.open_ends else '<='} value"
        if math.isfinite(self.high):
            text += f" {'<' if 'high' in self.open_ends else '<='} {self.high:g}"
        return text + (", whole" if self.whole else "")

    def allows(self, value: Value) -> bool:
        """Say whether the knob can be set to the value."""
        if self.choices:
            named = isinstance(value, str) and self.prefix != "" and value.startswith(self.prefix)
            if self.joined and isinstance(value, str) and "+" in value:
                parts = value.split("+")
                whole = set(parts) <= set(self.choices) - {self.default}
                return whole and len(set(parts)) == len(parts)
            return named or any(value == c and type(value) is type(c) for c in self.choices)
        if value is None:
            return self.default is None
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
        "optimizer": _knob(
            "adam",
            "the update rule",
            "sgd",
            "adam",
            "adamw",
            "rmsprop",
            "adagrad",
            "adadelta",
            "nadam",
            "radam",
            "lion",
            "muon",
            "adamw_schedule_free",
            "prodigy",
            prefix="torch.optim.",
        ),
        "lr": _knob(1e-3, "the learning rate that the schedule scales", **_POSITIVE),
        "momentum": _knob(
            None, "momentum of sgd, rmsprop and muon; None: 0.95 for muon, else 0", **_UNDER_ONE
        ),
        "nesterov": _knob(False, "sgd looks ahead along its momentum", False, True),
        "beta1": _knob(0.9, "decay of the mean gradient of adam and its kin", **_UNDER_ONE),
        "beta2": _knob(
            None,
            "decay of the mean squared gradient of adam and its kin, of lion's mean gradient; "
            "None: 0.99 for lion, else 0.999",
            **_UNDER_ONE,
        ),
        "alpha": _knob(0.99, "decay of the mean squared gradient of rmsprop", **_UNDER_ONE),
        "rho": _knob(0.9, "decay of the mean squares of adadelta", **_UNDER_ONE),
        "momentum_decay": _knob(4e-3, "how fast the momentum of nadam grows"),
        "eps": _knob(
            None,
            "what the adaptive optimizers add to the denominator; None: 1e-10 for adagrad, "
            "1e-06 for adadelta, else 1e-08",
            **_POSITIVE,
        ),
        "weight_decay": _knob(0.0, "L2 penalty; with l1 beside it: elastic net"),
        "decoupled_weight_decay": _knob(
            None,
            "shrink weights beside the update instead of through the gradient; "
            "None: for adamw, lion, muon, adamw_schedule_free and prodigy",
            None,
            False,
            True,
        ),
        "l1": _knob(0.0, "L1 penalty on weights (parameters of two or more axes)"),
        "max_norm": _knob(0.0, "largest norm of a unit's incoming weights; 0 leaves them alone"),
        "gradient_clip": _knob(0.0, "largest norm of the whole gradient; 0 leaves it alone"),
        "gradient_clip_value": _knob(
            0.0, "largest absolute value in a gradient, before its norm; 0 leaves it alone"
        ),
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
        "mixup": _knob(0.0, "mixes pairs of examples with shares of Beta(value, value); 0: never"),
        "cutmix": _knob(
            0.0, "pastes boxes between images with shares of Beta(value, value); 0: never"
        ),
        "input_noise": _knob(0.0, "standard deviation of noise added to the inputs in training"),
        "schedule": _knob(
            "constant",
            "how the learning rate falls over the recipe's epochs",
            "constant",
            "cosine",
            "cosine_restarts",
            "exponential",
            "polynomial",
            "step",
            "one_cycle",
            "plateau",
        ),
        "schedule_gamma": _knob(
            None,
            "factor an epoch of exponential, a drop of step and plateau; "
            "None: 0.9 for exponential, else 0.1",
            high=1.0,
            **_POSITIVE,
        ),
        "schedule_power": _knob(1.0, "exponent of the polynomial schedule", **_POSITIVE),
        "schedule_period": _knob(
            9.0,
            "epochs between drops of step, and of the first cycle of cosine_restarts",
            **_POSITIVE,
        ),
        "schedule_period_mult": _knob(
            1, "how many times longer each next cycle of cosine_restarts is", low=1.0, whole=True
        ),
        "schedule_peak": _knob(
            0.3, "share of the training after which one_cycle is at its peak", high=1.0
        ),
        "schedule_patience": _knob(
            3, "epochs without a better validation metric before plateau drops", whole=True
        ),
        "warmup_epochs": _knob(0.0, "epochs over which the learning rate rises from zero"),
        "hypergradient": _knob(
            "off",
            "what tunes itself by gradient while it trains: the learning rate by the training "
            "loss, the others by the validation part",
            "off",
            "lr",
            "lr_additive",
            *BILEVEL,
            joined=True,
        ),
        "hypergradient_strength": _knob(
            None,
            "how fast a learning rate tunes itself; None: 0.1 for lr, 0.001 for lr_additive",
            **_POSITIVE,
        ),
        "early_stopping": _knob(
            0, "epochs without a better validation metric that end a trial; 0: never", whole=True
        ),
        "restore": _knob(
            "last", "which epoch a trial answers with; early stopping: the best", "last", "best"
        ),
        "backbone_lr": _knob(
            1.0, "factor of the learning rate of a backbone that is fine-tuned", **_POSITIVE
        ),
        "layer_decay": _knob(
            1.0,
            "factor of the learning rate for each block further from the head",
            high=1.0,
            **_POSITIVE,
        ),
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


_OWN_DEFAULTS: Mapping[str, tuple[str, Mapping[str, float], float]] = MappingProxyType(
    {
        "momentum": ("optimizer", {"muon": 0.95}, 0.0),
        "beta2": ("optimizer", {"lion": 0.99}, 0.999),
        "eps": ("optimizer", {"adagrad": 1e-10, "adadelta": 1e-6}, 1e-8),
        "schedule_gamma": ("schedule", {"exponential": 0.9}, 0.1),
    }
)
"""For knobs whose default is None: what decides, its own values, and that of the others."""


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
    rho: float
    momentum_decay: float
    eps: float
    weight_decay: float
    decoupled_weight_decay: bool | None
    l1: float
    max_norm: float
    gradient_clip: float
    gradient_clip_value: float
    batch_size: int
    loss: str | None
    label_smoothing: float
    mixup: float
    cutmix: float
    input_noise: float
    class_weights: str | None
    pos_weight: str | None
    focal_gamma: float
    huber_delta: float
    quantile_level: float
    schedule: str
    schedule_gamma: float
    schedule_power: float
    schedule_period: float
    schedule_period_mult: int
    schedule_peak: float
    schedule_patience: int
    warmup_epochs: float
    hypergradient: str
    hypergradient_strength: float | None
    early_stopping: int
    restore: str
    backbone_lr: float
    layer_decay: float
    init: str
    init_gain: float
    flip: float
    crop_padding: int
    rotation: float
    cutout: float
    color_jitter: float


def read_knobs(config: Mapping[str, Value], *, optimizers: Collection[str] = ()) -> Knobs:
    """Return the knobs of a config, defaults filled in.

    Args:
        config: The config.
        optimizers: Names of the recipe's own optimizers.

    Raises:
        RecipeError: A knob has a value that is not allowed.
    """
    for name in config:
        check_knob(name, config[name], optimizers=optimizers)
    values: dict[str, Any] = {name: config.get(name, knob.default) for name, knob in KNOBS.items()}
    values |= started(values)
    for name, (decides, own, other) in _OWN_DEFAULTS.items():
        if values[name] is None:
            values[name] = own.get(values[decides], other)
    for name, knob in KNOBS.items():
        if knob.whole:
            # A number chosen by a Float domain is whole, but of the wrong type.
            values[name] = int(values[name])
    return Knobs(**values)


def check_knob(name: str, value: Value, *, optimizers: Collection[str] = ()) -> None:
    """Refuse a value that the knob of this name does not allow; other names pass.

    Args:
        name: The hyperparameter.
        value: Its value.
        optimizers: Names of the recipe's own optimizers, which ``optimizer`` may take too.

    Raises:
        RecipeError: The value is not allowed.
    """
    knob = KNOBS.get(name)
    fault = hypergradient_fault(value) if name == "hypergradient" else ""
    allowed = knob is None or knob.allows(value) or (name == "optimizer" and value in optimizers)
    if knob is None or (allowed and not fault):
        return
    choices = (*knob.choices, *(optimizers if name == "optimizer" else ()))
    raise RecipeError(
        f"{name!r} cannot be {value!r}{fault and ': '}{fault}.",
        where=f"the training hyperparameter {name!r}: {knob.meaning}",
        fix=f"use {knob.allowed}.{closest(value, choices)}",
    )


def closest(value: object, choices: Iterable[Value]) -> str:
    """Return `` Did you mean 'adam'?`` where a choice looks like the value, else nothing."""
    names = [choice for choice in choices if isinstance(choice, str)]
    found = difflib.get_close_matches(str(value).lower(), names, n=1)
    return f" Did you mean {found[0]!r}?" if found else ""
