"""The convolutions of the built-in networks: what they make of a map, before they are built."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes.architecture import Architecture
from ripieno.recipes.data import Data

__all__ = ["Convolution", "check_images", "convolve", "plan"]


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution of a network and the pooling behind it.

    Args:
        number: Which one, counted from 1.
        channels: Channels of its input.
        filters: Channels of its output.
        kernel: Side of its square kernels.
        stride: Their step, that of a pooling by stride included.
        dilation: Distance between the pixels that a kernel reads.
        padding: ``"same"`` or ``"valid"``.
        pool: ``"max"`` or ``"average"``, or whatever else shrinks nothing.
        pool_size: By how much the pooling shrinks.
        size: Height and width of the input.
    """

    number: int
    channels: int
    filters: int
    kernel: int
    stride: int
    dilation: int
    padding: str
    pool: str
    pool_size: int
    size: tuple[int, int]

    @property
    def reach(self) -> int:
        """Side of the square that a kernel reads."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def convolved(self) -> tuple[int, int]:
        """Height and width behind the convolution; none are left below 1."""
        lost = self.reach - 1 if self.padding == "valid" else 0
        height, width = ((side - lost - 1) // self.stride + 1 for side in self.size)
        return height, width

    @property
    def pooled(self) -> tuple[int, int]:
        """Height and width behind the pooling."""
        height, width = self.convolved
        if self.pool in {"max", "average"}:
            return height // self.pool_size, width // self.pool_size
        return height, width


def plan(architecture: Architecture, shape: tuple[int, ...]) -> list[Convolution]:
    """Return the convolutions of a cnn, one after the other.

    Args:
        architecture: What the config says.
        shape: ``(channels, height, width)`` of an image.

    Raises:
        RecipeError: A layer gets a map that is too small for it; it is named, with what to
            change.
    """
    layers = []
    for layer in _follow(architecture, shape):
        _check(layer, architecture, shape)
        layers.append(layer)
    return layers


def _follow(architecture: Architecture, shape: tuple[int, ...]) -> Iterator[Convolution]:
    channels, height, width = shape
    for number in range(1, architecture.count("depth") + 1):
        pool = architecture.at("pool", number)
        pool_size = architecture.count_at("pool_size", number)
        layer = Convolution(
            number=number,
            channels=channels,
            filters=architecture.filters(number),
            kernel=architecture.count_at("kernel", number),
            stride=architecture.count_at("stride", number) * (pool_size if pool == "stride" else 1),
            dilation=architecture.count_at("dilation", number),
            padding=architecture.at("padding", number),
            pool=pool,
            pool_size=pool_size,
            size=(height, width),
        )
        yield layer
        channels, (height, width) = layer.filters, layer.pooled


def _check(layer: Convolution, architecture: Architecture, shape: tuple[int, ...]) -> None:
    where = f"the {architecture.recipe} recipe on images of shape {shape}, layer {layer.number}"
    smallest = min(layer.size)
    if layer.padding == "valid" and layer.reach > smallest:
        raise RecipeError(
            f"layer {layer.number} reads {layer.reach} x {layer.reach} pixels at once, "
            f"and gets a map of {layer.size[0]} x {layer.size[1]}.",
            where=f"{where}: kernel = {layer.kernel}, dilation = {layer.dilation}, "
            "padding = 'valid'",
            fix="use padding = 'same', a smaller kernel or dilation, a smaller depth, or less "
            "pooling before this layer.",
        )
    if layer.padding == "valid" and architecture["residual"]:
        raise RecipeError(
            f"layer {layer.number} makes the map smaller than its residual connection does.",
            where=f"{where}: residual = True, padding = 'valid'",
            fix="use padding = 'same' with residual connections.",
        )
    if min(layer.pooled) < 1:
        raise RecipeError(
            f"the pooling of layer {layer.number} leaves nothing of a map of "
            f"{layer.convolved[0]} x {layer.convolved[1]} pixels.",
            where=f"{where}: pool = {layer.pool!r}, pool_size = {layer.pool_size}",
            fix=f"use a depth of at most {layer.number - 1}, or pool_{layer.number} = 'none'."
            if layer.number > 1
            else "use pool = 'none' or a smaller pool_size.",
        )


def convolve(
    channels: int,
    filters: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: str = "same",
    bias: bool,
) -> list[nn.Module]:
    """Return a convolution; with ``"same"`` the map shrinks by the stride alone, rounded up.

    Where the zeros cannot be shared out evenly, one more goes below and to the right.
    """
    around = dilation * (kernel - 1) if padding == "same" else 0
    before, after = around // 2, around - around // 2
    even = before == after
    layer = nn.Conv2d(
        channels,
        filters,
        kernel,
        stride=stride,
        padding=before if even else 0,
        dilation=dilation,
        bias=bias,
    )
    return [layer] if even else [nn.ZeroPad2d((before, after, before, after)), layer]


def check_images(data: Data, recipe: str) -> None:
    """Refuse what is no image.

    Raises:
        RecipeError: The data are no images, or smaller than 2 x 2 pixels.
    """
    if len(data.shape) != 3 or min(data.shape[1:]) < 2:
        raise RecipeError(
            f"rows of shape {data.shape} are no images.",
            where=f"{recipe}({data.name})",
            fix="use the mlp recipe, or give images (rows, height, width).",
        )
