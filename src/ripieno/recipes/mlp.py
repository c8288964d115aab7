"""A network of dense layers for tables and small images, with a default space."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes.architecture import Architecture
from ripieno.recipes.data import Data
from ripieno.recipes.layers import Residual, activation_of, model_space, normalization
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.sizing import FEW_ROWS, Sizing
from ripieno.recipes.table_input import FREQUENCY_SCALE, TableInput
from ripieno.space import Categorical, Config, Constant, Domain, Float, Int, Value

__all__ = ["MlpFactory", "mlp"]

_MOST_EMBEDDED = 64
"""Numbers of a row beyond which they get no embedding: it would be most of the network."""


@dataclass(frozen=True, slots=True)
class MlpFactory:
    """Builds ``depth`` hidden layers of ``width`` units: linear, norm, activation, dropout.

    With ``residual`` a shortcut goes past the linear layer and its norm; it is a linear
    projection where the width changes. The hyperparameters and their defaults are those of
    :data:`~ripieno.recipes.ARCHITECTURE`.

    Args:
        shape: Shape of one row; images are flattened.
        classes: Number of outputs.
        numbers: How many of the first features are scaled numbers, which the config may embed.
        cardinalities: Numbers that each of the last features can hold, which are looked up.
    """

    shape: tuple[int, ...]
    classes: int
    numbers: int = 0
    cardinalities: tuple[int, ...] = ()

    def check_names(self, config: Mapping[str, Value]) -> None:
        """Refuse what the recipe does not know: see ``CheckedFactory``."""
        _read(config)

    def check(self, config: Mapping[str, Value]) -> None:
        """Refuse nothing else: a network can be built of any known values."""
        _read(config)

    def decides(self, name: str) -> bool:  # noqa: ARG002 - none of them does
        """Say whether a hyperparameter decides if a network can be built."""
        return False

    def __call__(self, config: Config) -> nn.Module:
        """Return the untrained network of a config.

        Raises:
            RecipeError: A hyperparameter or a value is unknown.
        """
        architecture = _read(config)
        first, features = self._first(architecture)
        layers: list[nn.Module] = [first]
        for number in range(1, architecture.count("depth") + 1):
            width = architecture.count_at("width", number)
            layers += _layer(architecture, features, width)
            layers.append(nn.Dropout(float(architecture.at("dropout", number))))
            features = width
        return nn.Sequential(*layers, nn.Linear(features, self.classes))

    def _first(self, architecture: Architecture) -> tuple[nn.Module, int]:
        """Return what reads a row, and how many features it gives."""
        features = math.prod(self.shape)
        numbers = self.numbers if architecture["numeric_embedding"] == "periodic" else 0
        if not numbers and not self.cardinalities:
            return nn.Flatten(), features
        first = TableInput(
            features,
            numbers=numbers,
            cardinalities=self.cardinalities,
            frequency_scale=float(architecture["frequency_scale"]),
        )
        return first, first.width


def _read(config: Mapping[str, Value]) -> Architecture:
    architecture = Architecture.read(config, "mlp")
    for name, value in architecture.given.items():
        if name.startswith("width") and value == 0:
            raise RecipeError(
                f"{name!r} cannot be 0.",
                where="the mlp recipe: units of a hidden layer",
                fix="use at least 1 unit, or a smaller depth.",
            )
    return architecture


def _layer(architecture: Architecture, features: int, width: int) -> list[nn.Module]:
    norm = normalization(architecture, width, spatial=False)
    made = [nn.Linear(features, width, bias=not norm), *norm]
    activated = activation_of(architecture)
    if not architecture["residual"]:
        return [*made, activated]
    shortcut = nn.Identity() if features == width else nn.Linear(features, width, bias=False)
    return [Residual(made, shortcut, activated)]


def mlp(data: Data) -> Recipe:
    """Return the recipe of a dense network that suits the data.

    With few rows it has at most 128 units a layer, else 512: a wider one learns a thousand
    rows by heart, and a search over it would spend its time there. Numbers of a table may
    get periodic embeddings, unless there are too many of them.
    """
    sizing = Sizing.of(len(data.train))
    widest = 128 if sizing.rows < FEW_ROWS else 512
    space = model_space(
        {
            "depth": Int(1, 4, default=2),
            "width": Int(16, widest, log=True, default=128),
            "activation": Categorical("relu", "leaky_relu", "elu", "gelu", "silu"),
            "norm": Categorical("batch", "layer", "none"),
            "residual": Categorical(False, True),
            "dropout": Float(0.0, 0.6, default=0.2),
            **_embedding(data),
        },
        batch_sizes=sizing.batch_sizes,
    )
    factory = MlpFactory(
        data.shape,
        data.outputs,
        numbers=data.preprocess.numbers,
        cardinalities=data.preprocess.cardinalities,
    )
    return Recipe(
        factory,
        epochs=sizing.epochs,
        epoch_rows=sizing.epoch_rows,
        space=space,
        name="mlp",
    )


def _embedding(data: Data) -> dict[str, Domain]:
    """Return the domains of the embedding of a table's numbers, and what goes with it.

    Networks that embed numbers begin to learn the training rows by heart within a few epochs
    of some tables: where they are the default, trials answer with their best epoch.
    """
    if not 0 < data.preprocess.numbers <= _MOST_EMBEDDED:
        return {}
    embeds = len(data.train) >= FEW_ROWS
    kept: dict[str, Domain] = {"restore": Constant("best")} if embeds else {}
    return {
        "numeric_embedding": Categorical(
            "none", "periodic", default="periodic" if embeds else "none"
        ),
        "frequency_scale": Float(0.05, 10.0, log=True, default=FREQUENCY_SCALE).when(
            numeric_embedding="periodic"
        ),
        **kept,
    }
