"""Ripieno tunes PyTorch models and turns the search into an ensemble.

Every name is resolved when it is first used, so that ``import ripieno`` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ripieno.ensembles import Ensemble
    from ripieno.errors import RipienoError
    from ripieno.hypergradient import Bilevel, OnlineLearningRate, tune_online
    from ripieno.interop import TunedClassifier, TunedRegressor
    from ripieno.recipes import Data, FineTune, Metric, Recipe, fine_tune
    from ripieno.recipes import load as load_data
    from ripieno.records import Objective, Order, Outcome, Trial
    from ripieno.space import Categorical, Config, Constant, Float, Int, Space
    from ripieno.study import Study, open, search, tune  # noqa: A004 - rp.open, as one says it

__all__ = [
    "Bilevel",
    "Categorical",
    "Config",
    "Constant",
    "Data",
    "Ensemble",
    "FineTune",
    "Float",
    "Int",
    "Metric",
    "Objective",
    "OnlineLearningRate",
    "Order",
    "Outcome",
    "Recipe",
    "RipienoError",
    "Space",
    "Study",
    "Trial",
    "TunedClassifier",
    "TunedRegressor",
    "__version__",
    "fine_tune",
    "load_data",
    "open",
    "search",
    "tune",
    "tune_online",
]

_ROOMS = {
    "ensembles": ("Ensemble",),
    "errors": ("RipienoError",),
    "hypergradient": ("Bilevel", "OnlineLearningRate", "tune_online"),
    "interop": ("TunedClassifier", "TunedRegressor"),
    "recipes": ("Data", "FineTune", "Metric", "Recipe", "fine_tune"),
    "records": ("Objective", "Order", "Outcome", "Trial"),
    "space": ("Categorical", "Config", "Constant", "Float", "Int", "Space"),
    "study": ("Study", "open", "search", "tune"),
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("ripieno")
    if name == "load_data":
        return import_module("ripieno.recipes").load
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"ripieno.{room}"), name)
    raise AttributeError(f"module 'ripieno' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
