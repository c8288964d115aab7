"""The knobs that a gradient can tune, and the space in which each is free."""

from collections.abc import Mapping
from types import MappingProxyType

from ripieno.hypergradient.tunables import Bounded, Positive, Tunable
from ripieno.recipes import STARTS

__all__ = ["BY_NAME", "TUNABLES"]

TUNABLES: Mapping[str, Tunable] = MappingProxyType(
    {
        "weight_decay": Positive(STARTS["weight_decay"]),
        "l1": Positive(STARTS["l1"]),
        "label_smoothing": Bounded(STARTS["label_smoothing"], 0.0, 1.0),
        "class_weights": Positive(1.0),
        "pos_weight": Positive(1.0),
        "focal_gamma": Positive(STARTS["focal_gamma"]),
        "huber_delta": Positive(STARTS["huber_delta"]),
        "input_noise": Positive(STARTS["input_noise"]),
        "rotation": Bounded(STARTS["rotation"], 0.0, 180.0),
        "color_jitter": Bounded(STARTS["color_jitter"], 0.0, 1.0),
    }
)
"""Knobs of the training loss that a gradient can tune, and where one begins that a config leaves
at zero. The learning rate is tuned beside them, in its own way."""

BY_NAME: Mapping[str, Tunable] = MappingProxyType(
    {
        **TUNABLES,
        "mixup": Positive(STARTS["mixup"]),
        "weight_decay_per_layer": TUNABLES["weight_decay"],
        "weight_decay_per_parameter": TUNABLES["weight_decay"],
    }
)
"""The same by the names of :data:`ripieno.recipes.BILEVEL`, for the trials of a study."""
