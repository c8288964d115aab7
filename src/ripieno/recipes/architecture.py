"""The hyperparameters that the built-in networks are built from: names, defaults, meanings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from ripieno.errors import RecipeError
from ripieno.recipes.knobs import KNOBS, Knob, closest
from ripieno.space import Config, Value

__all__ = ["ARCHITECTURE", "Architecture", "Setting"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One hyperparameter of the built-in networks.

    Args:
        knob: Its meaning and its allowed values; the default is that of most recipes.
        recipes: Which recipes read it, and the default of each.
        layered: The recipes in which ``<name>_<i>`` sets it for layer ``i`` alone: the
            convolutions of the cnn, the hidden layers of the mlp and the stages of the
            resnet, counted from 1.
    """

    knob: Knob
    recipes: Mapping[str, Value]
    layered: tuple[str, ...] = ()


_ACTIVATIONS = ("relu", "leaky_relu", "prelu", "elu", "gelu", "silu", "sigmoid", "tanh")


def _setting(
    knob: Knob, *recipes: str, layered: str = "", defaults: Mapping[str, Value] | None = None
) -> Setting:
    own = {name: (defaults or {}).get(name, knob.default) for name in recipes}
    return Setting(knob, MappingProxyType(own), tuple(layered.split()))


_COUNT: dict[str, Any] = {"low": 1.0, "whole": True}
_SHARE: dict[str, Any] = {"high": 1.0, "open_ends": ("high",)}

ARCHITECTURE: Mapping[str, Setting] = MappingProxyType(
    {
        "depth": _setting(
            Knob(2, "convolutions of the cnn, hidden layers of the mlp, stages of the resnet",
                 **_COUNT),
            "cnn", "mlp", "resnet", defaults={"resnet": 3},
        ),
        "width": _setting(
            Knob(128, "units of a hidden layer; in the cnn of the head's, 0 for none", whole=True),
            "cnn", "mlp", defaults={"cnn": 64}, layered="mlp",
        ),
        "filters": _setting(
            Knob(16, "filters of the first convolution or stage", **_COUNT),
            "cnn", "resnet", layered="cnn resnet",
        ),
        "filters_growth": _setting(
            Knob(2.0, "factor of the filters from one layer to the next", open_ends=("low",)),
            "cnn", "resnet",
        ),
        "kernel": _setting(
            Knob(3, "side of the square kernels", **_COUNT), "cnn", "resnet", layered="cnn resnet"
        ),
        "stride": _setting(Knob(1, "step of the kernels", **_COUNT), "cnn", layered="cnn"),
        "padding": _setting(
            Knob("same", "zeros around a map: so many that only the stride shrinks it, or none",
                 ("same", "valid")),
            "cnn", layered="cnn",
        ),
        "dilation": _setting(
            Knob(1, "distance between the pixels that a kernel reads", **_COUNT),
            "cnn", "resnet", layered="cnn resnet",
        ),
        "blocks": _setting(
            Knob(1, "residual blocks of two convolutions a stage", **_COUNT),
            "resnet", layered="resnet",
        ),
        "pool": _setting(
            Knob("max", "what shrinks the map behind a convolution; stride: the convolution itself",
                 ("max", "average", "stride", "none")),
            "cnn", layered="cnn",
        ),
        "pool_size": _setting(
            Knob(2, "by how much the pooling shrinks height and width", **_COUNT),
            "cnn", layered="cnn",
        ),
        "global_pool": _setting(
            Knob("none", "what makes one number of each last map; none: all pixels are kept",
                 ("none", "average", "max")),
            "cnn", "resnet", defaults={"resnet": "average"},
        ),
        "activation": _setting(
            Knob("relu", "the nonlinearity behind every layer but the last", _ACTIVATIONS),
            "cnn", "mlp", "resnet",
        ),
        "negative_slope": _setting(
            Knob(0.01, "slope of leaky_relu below zero"), "cnn", "mlp", "resnet"
        ),
        "norm": _setting(
            Knob("batch", "normalisation before the activation",
                 ("batch", "layer", "group", "none")),
            "cnn", "mlp", "resnet",
        ),
        "norm_groups": _setting(
            Knob(4, "groups of the group norm; at most, so that they divide the channels",
                 **_COUNT),
            "cnn", "mlp", "resnet",
        ),
        "residual": _setting(
            Knob(False, "add what goes into a layer to what comes out of it", (False, True)),
            "cnn", "mlp",
        ),
        "dropout": _setting(
            Knob(0.2, "share of the units dropped: behind the mlp's hidden layers, around the "
                 "cnn's, before the resnet's last", **_SHARE),
            "cnn", "mlp", "resnet", layered="mlp",
        ),
        "numeric_embedding": _setting(
            Knob("none", "waves of learned frequencies for a table's numbers, beside them",
                 ("none", "periodic")),
            "mlp",
        ),
        "frequency_scale": _setting(
            Knob(1.0, "deviation of the frequencies that the waves begin with",
                 open_ends=("low",)),
            "mlp",
        ),
        "spatial_dropout": _setting(
            Knob(0.0, "share of whole maps dropped behind a convolution, a residual block",
                 **_SHARE),
            "cnn", "resnet", layered="cnn resnet",
        ),
    }
)  # fmt: skip
"""Hyperparameters of the built-in recipes by name."""

_LAYERED = re.compile(r"(\w+)_([1-9]\d*)")


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a config says about a network, checked, with the defaults of its recipe.

    Args:
        recipe: ``"cnn"``, ``"mlp"`` or ``"resnet"``.
        given: The hyperparameters of the architecture that the config holds.
    """

    recipe: str
    given: Mapping[str, Value]

    @classmethod
    def read(cls, config: Mapping[str, Value], recipe: str) -> Self:
        """Pick the architecture out of a config.

        Raises:
            RecipeError: The recipe knows no hyperparameter of a name, or not this value.
        """
        own = {name: value for name, value in config.items() if name not in KNOBS}
        for name, value in own.items():
            base = _base(name, recipe)
            if base is None:
                raise _unknown(name, recipe, config)
            knob = ARCHITECTURE[base].knob
            if not knob.allows(value):
                raise RecipeError(
                    f"{name!r} cannot be {value!r}.",
                    where=f"the {recipe} recipe's hyperparameter {name!r}: {knob.meaning}",
                    fix=f"use {knob.allowed}.{closest(value, knob.choices)}",
                )
        return cls(recipe, MappingProxyType(own))

    def __getitem__(self, name: str) -> Any:
        """Return a hyperparameter of the whole network."""
        return self.given.get(name, ARCHITECTURE[name].recipes[self.recipe])

    def at(self, name: str, layer: int) -> Any:
        """Return a hyperparameter of one layer, counted from 1."""
        return self.given.get(f"{name}_{layer}", self[name])

    def count(self, name: str) -> int:
        """Return a whole number that a Float domain may have made a float of."""
        return int(self[name])

    def count_at(self, name: str, layer: int) -> int:
        """Return a whole number of one layer, counted from 1."""
        return int(self.at(name, layer))

    def filters(self, layer: int) -> int:
        """Return the filters of a layer or stage, counted from 1: its own, or grown ones."""
        if f"filters_{layer}" in self.given:
            return self.count_at("filters", layer)
        grown = float(self["filters"]) * float(self["filters_growth"]) ** (layer - 1)
        return max(1, round(grown))


def _base(name: str, recipe: str) -> str | None:
    """Return the name in the table that a name of this recipe stands for."""
    if name in ARCHITECTURE and recipe in ARCHITECTURE[name].recipes:
        return name
    found = _LAYERED.fullmatch(name)
    if found and found[1] in ARCHITECTURE and recipe in ARCHITECTURE[found[1]].layered:
        return found[1]
    return None


def _unknown(name: str, recipe: str, config: Mapping[str, Value]) -> RecipeError:
    names = [known for known, setting in ARCHITECTURE.items() if recipe in setting.recipes]
    found = _LAYERED.fullmatch(name)
    base = found[1] if found else name
    elsewhere = ", ".join(ARCHITECTURE[base].recipes) if base in ARCHITECTURE else ""
    hint = closest(name, (*names, *KNOBS))
    if base in names:
        hint = f" {base!r} is one for the whole network."
    elif elsewhere:
        hint = f" {base!r} belongs to {elsewhere}."
    return RecipeError(
        f"the {recipe} recipe has no hyperparameter {name!r}.",
        where=repr(Config(config)),
        fix=f"leave it out, or use one of {', '.join(names)}, or a knob of training.{hint}",
    )
