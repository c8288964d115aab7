"""A convolutional network for images, built from a config, with a default space."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from ripieno.recipes.architecture import Architecture
from ripieno.recipes.convolutions import Convolution, check_images, convolve, plan
from ripieno.recipes.data import Data
from ripieno.recipes.feasible import restricted
from ripieno.recipes.layers import (
    Residual,
    activation_of,
    global_pooling,
    model_space,
    normalization,
    pooling,
)
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.sizing import FEW_ROWS, Sizing
from ripieno.space import Categorical, Config, Float, Int, Space, Value

__all__ = ["CnnFactory", "cnn"]

_SMALL_IMAGE = 16 * 16
_DECIDING = frozenset(
    {"depth", "kernel", "stride", "padding", "dilation", "pool", "pool_size", "residual"}
)


@dataclass(frozen=True, slots=True)
class CnnFactory:
    """Builds ``depth`` layers of convolution, norm, activation and pooling, and a head.

    By default every convolution keeps height and width (``padding="same"``, so that unlike
    kernels fit) and every pooling halves them, and layer ``i`` has ``filters * 2**(i - 1)``
    filters. The head is one hidden layer of ``width`` units between two dropouts. The
    hyperparameters and their defaults are those of
    :data:`~ripieno.recipes.ARCHITECTURE`.

    Args:
        shape: ``(channels, height, width)`` of one image.
        classes: Number of outputs.
    """

    shape: tuple[int, ...]
    classes: int

    @property
    def most_blocks(self) -> int:
        """How often the smaller side can be halved before a pooling would empty the map."""
        return min(self.shape[1:]).bit_length() - 1

    def check_names(self, config: Mapping[str, Value]) -> None:
        """Refuse what the recipe does not know: see ``CheckedFactory``."""
        Architecture.read(config, "cnn")

    def check(self, config: Mapping[str, Value]) -> None:
        """Refuse a config in which a layer does not fit its map: see ``CheckedFactory``."""
        plan(Architecture.read(config, "cnn"), self.shape)

    def decides(self, name: str) -> bool:
        """Say whether sizes of maps depend on a hyperparameter: see ``CheckedFactory``."""
        return name.rstrip("0123456789").rstrip("_") in _DECIDING

    def __call__(self, config: Config) -> nn.Module:
        """Return the untrained network of a config.

        Raises:
            RecipeError: A name or a value is unknown, or a layer does not fit its map.
        """
        architecture = Architecture.read(config, "cnn")
        layers: list[nn.Module] = []
        channels, size = self.shape[0], (self.shape[1], self.shape[2])
        for layer in plan(architecture, self.shape):
            layers += _layer(layer, architecture)
            channels, size = layer.filters, layer.pooled
        pooled = global_pooling(architecture["global_pool"])
        features = channels if pooled else channels * size[0] * size[1]
        head = _head(architecture, features, self.classes)
        return nn.Sequential(*layers, *pooled, nn.Flatten(), *head)


def _layer(layer: Convolution, architecture: Architecture) -> list[nn.Module]:
    norm = normalization(architecture, layer.filters, spatial=True)
    made = [
        *convolve(
            layer.channels,
            layer.filters,
            layer.kernel,
            stride=layer.stride,
            dilation=layer.dilation,
            padding=layer.padding,
            bias=not norm,
        ),
        *norm,
    ]
    activated = activation_of(architecture)
    if architecture["residual"]:
        same = layer.channels == layer.filters and layer.stride == 1
        projection = nn.Conv2d(layer.channels, layer.filters, 1, stride=layer.stride, bias=False)
        made = [Residual(made, nn.Identity() if same else projection, activated)]
    else:
        made.append(activated)
    made += pooling(layer.pool, layer.pool_size)
    dropped = float(architecture.at("spatial_dropout", layer.number))
    # Also at a rate of zero where the config names it: rows of all rates are one stack.
    named = {"spatial_dropout", f"spatial_dropout_{layer.number}"} & architecture.given.keys()
    return [*made, nn.Dropout2d(dropped)] if named else made


def _head(architecture: Architecture, features: int, classes: int) -> list[nn.Module]:
    width, dropout = architecture.count("width"), float(architecture["dropout"])
    if width == 0:
        return [nn.Dropout(dropout), nn.Linear(features, classes)]
    return [
        nn.Dropout(dropout),
        nn.Linear(features, width),
        activation_of(architecture),
        nn.Dropout(dropout),
        nn.Linear(width, classes),
    ]


def cnn(data: Data) -> Recipe:
    """Return the recipe of a convolutional network that suits the images.

    The first layer has at most 32 filters, and small images or few rows get at most 64
    hidden units: wider networks learn a thousand small images by heart without answering
    better, and a search over them would spend its time on the widest. Pass a space of your
    own for more.

    Raises:
        RecipeError: The data are no images, or smaller than 2 x 2 pixels.
    """
    check_images(data, "cnn")
    factory = CnnFactory(data.shape, data.outputs)
    sizing = Sizing.of(len(data.train))
    space = _space(factory, sizing=sizing)
    return Recipe(
        factory,
        epochs=sizing.epochs,
        epoch_rows=sizing.epoch_rows,
        space=restricted(space, factory, shape=data.shape),
        name="cnn",
        channels_last=True,
    )


def _space(factory: CnnFactory, *, sizing: Sizing) -> Space:
    _, height, width = factory.shape
    tiny = height * width <= _SMALL_IMAGE
    small = tiny or sizing.rows < FEW_ROWS
    # A last map of a single pixel sees the whole image, and knows no places any more.
    deepest = min(factory.most_blocks, max(2, factory.most_blocks - 1), 4)
    return model_space(
        {
            "filters": Int(8, 32, log=True, default=16),
            "kernel": Categorical(3, 5),
            "depth": Int(1, deepest, default=min(2 if tiny else 3, deepest)),
            "width": Int(16, 64 if small else 128, log=True, default=64),
            "activation": Categorical("relu", "leaky_relu", "elu", "gelu", "silu"),
            "norm": Categorical("batch", "group", "none"),
            "pool": Categorical("max", "average", "stride"),
            "residual": Categorical(False, True),
            "dropout": Float(0.0, 0.6, default=0.2),
        },
        batch_sizes=sizing.batch_sizes,
    )
