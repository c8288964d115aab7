"""torch's optimizers for a stack of models."""

from types import MappingProxyType

from ripieno.population.optimizers.adagrad import Adagrad
from ripieno.population.optimizers.adam import Adam, AdamW
from ripieno.population.optimizers.nadam import NAdam
from ripieno.population.optimizers.optimizer import Numbers, Optimizer, Slots, clip, l1_penalty
from ripieno.population.optimizers.rmsprop import RMSprop
from ripieno.population.optimizers.sgd import SGD

__all__ = [
    "FAMILIES",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "NAdam",
    "Numbers",
    "Optimizer",
    "RMSprop",
    "Slots",
    "clip",
    "l1_penalty",
]

FAMILIES: "MappingProxyType[str, type[Optimizer]]" = MappingProxyType(
    {
        "sgd": SGD,
        "adam": Adam,
        "adamw": AdamW,
        "rmsprop": RMSprop,
        "adagrad": Adagrad,
        "nadam": NAdam,
    }
)
"""Optimizers by the names that recipes use."""
