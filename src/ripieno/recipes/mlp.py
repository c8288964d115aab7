"""A network of dense layers for tables and small images, with a default space."""

import math
from dataclasses import dataclass

from torch import nn

from ripieno.recipes.data import Data
from ripieno.recipes.layers import ACTIVATIONS, activation, model_space
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.table_input import FREQUENCY_SCALE, TableInput
from ripieno.space import Categorical, Config, Domain, Float, Int

__all__ = ["MlpFactory", "mlp"]

_FEW_ROWS = 5_000
_MOST_EMBEDDED = 64
"""Numbers of a row beyond which they get no embedding: it would be most of the network."""


@dataclass(frozen=True, slots=True)
class MlpFactory:
    """Builds ``depth`` hidden layers of ``width`` units: linear, batch norm, activation, dropout.

    Args:
        shape: Shape of one row; images are flattened.
        classes: Number of logits.
        numbers: How many of the first features are scaled numbers, which the config may embed.
        cardinalities: Numbers that each of the last features can hold, which are looked up.
    """

    shape: tuple[int, ...]
    classes: int
    numbers: int = 0
    cardinalities: tuple[int, ...] = ()

    def __call__(self, config: Config) -> nn.Module:
        """Return the untrained network of a config."""
        first, features = self._first(config)
        layers: list[nn.Module] = [first]
        for _ in range(config.depth):
            layers.append(nn.Linear(features, config.width, bias=not config.batch_norm))
            if config.batch_norm:
                layers.append(nn.BatchNorm1d(config.width))
            layers += [activation(config.activation), nn.Dropout(config.dropout)]
            features = config.width
        return nn.Sequential(*layers, nn.Linear(features, self.classes))

    def _first(self, config: Config) -> tuple[nn.Module, int]:
        """Return what reads a row, and how many features it gives."""
        features = math.prod(self.shape)
        periodic = config.get("numeric_embedding", "none") == "periodic"
        numbers = self.numbers if periodic else 0
        if not numbers and not self.cardinalities:
            return nn.Flatten(), features
        first = TableInput(
            features,
            numbers=numbers,
            cardinalities=self.cardinalities,
            frequency_scale=config.get("frequency_scale", FREQUENCY_SCALE),  # type: ignore[arg-type]
        )
        return first, first.width


def mlp(data: Data) -> Recipe:
    """Return the recipe of a dense network that suits the data.

    With few rows it has at most 128 units a layer, else 512: a wider one learns a thousand
    rows by heart, and a search over it would spend its time there. Numbers of a table may
    get periodic embeddings, unless there are too many of them.
    """
    widest = 128 if len(data.train) < _FEW_ROWS else 512
    space = model_space(
        {
            "depth": Int(1, 4, default=2),
            "width": Int(16, widest, log=True, default=128),
            "activation": Categorical(*ACTIVATIONS),
            "batch_norm": Categorical(True, False),
            "dropout": Float(0.0, 0.6, default=0.2),
            **_embedding(data),
        }
    )
    factory = MlpFactory(
        data.shape,
        len(data.classes),
        numbers=data.preprocess.numbers,
        cardinalities=data.preprocess.cardinalities,
    )
    return Recipe(factory, space=space, name="mlp")


def _embedding(data: Data) -> dict[str, Domain]:
    """Return the domains of the embedding of a table's numbers."""
    if not 0 < data.preprocess.numbers <= _MOST_EMBEDDED:
        return {}
    usual = "none" if len(data.train) < _FEW_ROWS else "periodic"
    return {
        "numeric_embedding": Categorical("none", "periodic", default=usual),
        "frequency_scale": Float(0.02, 2.0, log=True, default=FREQUENCY_SCALE).when(
            numeric_embedding="periodic"
        ),
    }
