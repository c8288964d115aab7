"""A network of dense layers for tables and small images, with a default space."""

import math
from dataclasses import dataclass

from torch import nn

from ripieno.recipes.data import Data
from ripieno.recipes.layers import ACTIVATIONS, activation, model_space
from ripieno.recipes.recipe import Recipe
from ripieno.space import Categorical, Config, Float, Int

__all__ = ["MlpFactory", "mlp"]

_FEW_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class MlpFactory:
    """Builds ``depth`` hidden layers of ``width`` units: linear, batch norm, activation, dropout.

    Args:
        shape: Shape of one row; images are flattened.
        classes: Number of outputs.
    """

    shape: tuple[int, ...]
    classes: int

    def __call__(self, config: Config) -> nn.Module:
        """Return the untrained network of a config."""
        layers: list[nn.Module] = [nn.Flatten()]
        features = math.prod(self.shape)
        for _ in range(config.depth):
            layers.append(nn.Linear(features, config.width, bias=not config.batch_norm))
            if config.batch_norm:
                layers.append(nn.BatchNorm1d(config.width))
            layers += [activation(config.activation), nn.Dropout(config.dropout)]
            features = config.width
        return nn.Sequential(*layers, nn.Linear(features, self.classes))


def mlp(data: Data) -> Recipe:
    """Return the recipe of a dense network that suits the data.

    With few rows it has at most 128 units a layer, else 512: a wider one learns a thousand
    rows by heart, and a search over it would spend its time there.
    """
    widest = 128 if len(data.train) < _FEW_ROWS else 512
    space = model_space(
        {
            "depth": Int(1, 4, default=2),
            "width": Int(16, widest, log=True, default=128),
            "activation": Categorical(*ACTIVATIONS),
            "batch_norm": Categorical(True, False),
            "dropout": Float(0.0, 0.6, default=0.2),
        }
    )
    return Recipe(MlpFactory(data.shape, data.outputs), space=space, name="mlp")
