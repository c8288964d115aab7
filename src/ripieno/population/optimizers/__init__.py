"""torch's optimizers for a stack of models."""

from types import MappingProxyType

from ripieno.population.optimizers.adadelta import Adadelta
from ripieno.population.optimizers.adagrad import Adagrad
from ripieno.population.optimizers.adam import Adam, AdamW
from ripieno.population.optimizers.lion import Lion
from ripieno.population.optimizers.muon import Muon
from ripieno.population.optimizers.nadam import NAdam
from ripieno.population.optimizers.optimizer import (
    Numbers,
    Optimizer,
    RowKernel,
    Slots,
    clip,
    clip_values,
    decay_penalty,
    l1_penalty,
    limit_norms,
)
from ripieno.population.optimizers.radam import RAdam
from ripieno.population.optimizers.rmsprop import RMSprop
from ripieno.population.optimizers.sgd import SGD

__all__ = [
    "FAMILIES",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "Muon",
    "NAdam",
    "Numbers",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "RowKernel",
    "Slots",
    "clip",
    "clip_values",
    "decay_penalty",
    "l1_penalty",
    "limit_norms",
]

FAMILIES: "MappingProxyType[str, type[Optimizer]]" = MappingProxyType(
    {
        "sgd": SGD,
        "adam": Adam,
        "adamw": AdamW,
        "rmsprop": RMSprop,
        "adagrad": Adagrad,
        "adadelta": Adadelta,
        "nadam": NAdam,
        "radam": RAdam,
        "lion": Lion,
        "muon": Muon,
    }
)
"""Optimizers by the names that recipes use."""
