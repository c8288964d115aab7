"""A small residual network for images, built from a config, with a default space.

Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016; the
layout is that of its networks for CIFAR-10 (section 4.2), with projections for shortcuts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from ripieno.recipes.architecture import Architecture
from ripieno.recipes.convolutions import check_images, convolve
from ripieno.recipes.data import Data
from ripieno.recipes.layers import (
    Residual,
    activation_of,
    global_pooling,
    model_space,
    normalization,
)
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.sizing import Sizing
from ripieno.space import Categorical, Config, Float, Int, Value

__all__ = ["ResnetFactory", "resnet"]


@dataclass(frozen=True, slots=True)
class ResnetFactory:
    """Builds a convolution and ``depth`` stages of ``blocks`` residual blocks, and a head.

    A block is two convolutions with a shortcut past them. Each stage but the first begins
    with a step of two pixels, which halves the map, rounded up: it never becomes empty. The
    head is the mean of each map, a dropout and one linear layer. The hyperparameters and
    their defaults are those of :data:`~ripieno.recipes.ARCHITECTURE`.

    Args:
        shape: ``(channels, height, width)`` of one image.
        classes: Number of logits.
    """

    shape: tuple[int, ...]
    classes: int

    def check_names(self, config: Mapping[str, Value]) -> None:
        """Refuse what the recipe does not know: see ``CheckedFactory``."""
        Architecture.read(config, "resnet")

    def check(self, config: Mapping[str, Value]) -> None:
        """Refuse nothing else: a network can be built of any known values."""
        Architecture.read(config, "resnet")

    def decides(self, name: str) -> bool:  # noqa: ARG002 - none of them does
        """Say whether a hyperparameter decides if a network can be built."""
        return False

    def __call__(self, config: Config) -> nn.Module:
        """Return the untrained network of a config.

        Raises:
            RecipeError: A hyperparameter or a value is unknown.
        """
        architecture = Architecture.read(config, "resnet")
        channels, (height, width) = architecture.filters(1), self.shape[1:]
        layers = _convolution(architecture, (self.shape[0], channels), stage=1)
        layers.append(activation_of(architecture))
        for stage in range(1, architecture.count("depth") + 1):
            filters = architecture.filters(stage)
            for block in range(architecture.count_at("blocks", stage)):
                stride = 2 if stage > 1 and block == 0 else 1
                layers += _block(architecture, (channels, filters), stage=stage, stride=stride)
                channels = filters
                height, width = -(-height // stride), -(-width // stride)
        pooled = global_pooling(architecture["global_pool"])
        features = channels if pooled else channels * height * width
        head = [nn.Dropout(float(architecture["dropout"])), nn.Linear(features, self.classes)]
        return nn.Sequential(*layers, *pooled, nn.Flatten(), *head)


def _convolution(
    architecture: Architecture, channels: tuple[int, int], *, stage: int, stride: int = 1
) -> list[nn.Module]:
    """Return a convolution and its norm."""
    norm = normalization(architecture, channels[1], spatial=True)
    convolution = convolve(
        *channels,
        architecture.count_at("kernel", stage),
        stride=stride,
        dilation=architecture.count_at("dilation", stage),
        bias=not norm,
    )
    return [*convolution, *norm]


def _block(
    architecture: Architecture, channels: tuple[int, int], *, stage: int, stride: int
) -> list[nn.Module]:
    before, after = channels
    layers = [
        *_convolution(architecture, channels, stage=stage, stride=stride),
        activation_of(architecture),
        *_convolution(architecture, (after, after), stage=stage),
    ]
    shortcut: nn.Module = nn.Identity()
    if stride > 1 or before != after:
        shortcut = nn.Conv2d(before, after, 1, stride=stride, bias=False)
    block = Residual(layers, shortcut, activation_of(architecture))
    dropped = float(architecture.at("spatial_dropout", stage))
    # Also at a rate of zero where the config names it: rows of all rates are one stack.
    named = {"spatial_dropout", f"spatial_dropout_{stage}"} & architecture.given.keys()
    return [block, nn.Dropout2d(dropped)] if named else [block]


def resnet(data: Data) -> Recipe:
    """Return the recipe of a small residual network that suits the images.

    Two blocks a stage make more of many rows than of few; the widest has 32 filters in its
    first stage and 128 in its third. Pass a space of your own for more.

    Raises:
        RecipeError: The data are no images, or smaller than 2 x 2 pixels.
    """
    check_images(data, "resnet")
    sizing = Sizing.of(len(data.train))
    # A stage whose maps are smaller than its kernels convolves zeros.
    deepest = max(1, min((min(data.shape[1:]) - 1).bit_length() - 1, 4))
    space = model_space(
        {
            "filters": Int(8, 32, log=True, default=16),
            "depth": Int(min(2, deepest), deepest, default=min(3, deepest)),
            "blocks": Int(1, 2, default=1),
            "activation": Categorical("relu", "leaky_relu", "elu", "gelu", "silu"),
            "norm": Categorical("batch", "group"),
            "dropout": Float(0.0, 0.6, default=0.2),
        },
        batch_sizes=sizing.batch_sizes,
    )
    return Recipe(
        ResnetFactory(data.shape, data.outputs),
        epochs=sizing.epochs,
        epoch_rows=sizing.epoch_rows,
        space=space,
        name="resnet",
        channels_last=True,
    )
