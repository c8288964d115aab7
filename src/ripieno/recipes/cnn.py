"""A convolutional network for images, built from a config, with a default space."""

from dataclasses import dataclass

from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes.data import Data
from ripieno.recipes.layers import ACTIVATIONS, activation, model_space
from ripieno.recipes.recipe import Recipe
from ripieno.space import Categorical, Config, Float, Int, Space

__all__ = ["CnnFactory", "cnn"]

_SMALL_IMAGE = 16 * 16
_FEW_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class CnnFactory:
    """Builds ``depth`` blocks of convolution, batch norm, activation and pooling, and a head.

    Every convolution keeps height and width (``padding="same"``, so that unlike kernels fit)
    and every pooling halves them; block ``i`` has ``filters * 2**i`` filters. The head is one
    hidden layer of ``width`` units between two dropouts.

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

    def __call__(self, config: Config) -> nn.Module:
        """Return the untrained network of a config.

        Raises:
            RecipeError: The depth does not fit the images.
        """
        depth = config.depth
        if depth > self.most_blocks:
            raise RecipeError(
                f"depth = {depth} pools images of shape {self.shape} down to nothing.",
                where="the cnn recipe",
                fix=f"use a depth of at most {self.most_blocks}.",
            )
        layers: list[nn.Module] = []
        channels, height, width = self.shape
        for block in range(depth):
            filters = config.filters * 2**block
            layers.append(
                nn.Conv2d(
                    channels,
                    filters,
                    config.kernel,
                    padding="same",
                    bias=not config.batch_norm,
                )
            )
            if config.batch_norm:
                layers.append(nn.BatchNorm2d(filters))
            layers += [activation(config.activation), nn.MaxPool2d(2)]
            channels, height, width = filters, height // 2, width // 2
        return nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Dropout(config.dropout),
            nn.Linear(channels * height * width, config.width),
            activation(config.activation),
            nn.Dropout(config.dropout),
            nn.Linear(config.width, self.classes),
        )


def cnn(data: Data) -> Recipe:
    """Return the recipe of a convolutional network that suits the images.

    The first block has at most 32 filters, and small images or few rows get at most 64
    hidden units: wider networks learn a thousand small images by heart without answering
    better, and a search over them would spend its time on the widest. Pass a space of your
    own for more.

    Raises:
        RecipeError: The data are no images, or smaller than 2 x 2 pixels.
    """
    if len(data.shape) != 3 or min(data.shape[1:]) < 2:
        raise RecipeError(
            f"rows of shape {data.shape} are no images.",
            where=f"cnn({data.name})",
            fix="use the mlp recipe, or give images (rows, height, width).",
        )
    factory = CnnFactory(data.shape, data.outputs)
    return Recipe(factory, space=_space(factory, rows=len(data.train)), name="cnn")


def _space(factory: CnnFactory, *, rows: int) -> Space:
    _, height, width = factory.shape
    small = height * width <= _SMALL_IMAGE or rows < _FEW_ROWS
    # A last map of a single pixel sees the whole image, and knows no places any more.
    deepest = min(factory.most_blocks, max(2, factory.most_blocks - 1), 4)
    return model_space(
        {
            "filters": Int(8, 32, log=True, default=16),
            "kernel": Categorical(3, 5),
            "depth": Int(1, deepest, default=min(2, deepest)),
            "width": Int(16, 64 if small else 128, log=True, default=64),
            "activation": Categorical(*ACTIVATIONS),
            "batch_norm": Categorical(True, False),
            "dropout": Float(0.0, 0.6, default=0.2),
        }
    )
