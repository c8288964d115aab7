"""The recipe ``nas``: architecture and training are searched together."""

import math
from typing import Any

from ripieno.nas.networks import ArchitectureFactory
from ripieno.nas.spaces import cell_space
from ripieno.recipes import Data, Recipe, Sizing, check_images, model_space
from ripieno.space import Float, Space

__all__ = ["nas", "suited"]

_SMALL_IMAGE = 16 * 16


def nas(data: Data, architectures: Space | None = None) -> Recipe:
    """Return the recipe of networks of cells that suit the images.

    Searched beside the architecture are its training and the ``dropout`` before the last layer.

    Args:
        data: Images.
        architectures: What architectures there are: a :func:`cell_space` of one cell a stage,
            16 filters and what :func:`suited` says where absent, a :func:`darts_space` or a
            :func:`macro_space`.

    Raises:
        RecipeError: The data are no images, or smaller than 2 x 2 pixels.
    """
    check_images(data, "nas")
    sizing = Sizing.of(len(data.train))
    chosen = architectures
    if chosen is None:
        chosen = cell_space(**suited("cell", data.shape))
    # A layer that reads every pixel learns few rows by heart.
    dropout = Float(0.0, 0.7, default=0.5 if _is_small(data.shape) else 0.2)
    space = model_space({"dropout": dropout, **chosen}, batch_sizes=sizing.batch_sizes)
    for constraint in chosen.constraints:
        space = space.where(constraint.rule or constraint.holds, constraint.description)
    return Recipe(
        ArchitectureFactory(data.shape, data.outputs),
        epochs=sizing.epochs,
        epoch_rows=sizing.epoch_rows,
        space=space,
        name="nas",
        channels_last=True,
    )


def suited(space: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the options of a space of architectures that suit images.

    Small ones are halved once, not twice, and all the pixels of their last maps are read, or
    the means if a search finds them better. With means alone, positions are lost.

    Args:
        space: ``cell``, ``darts`` or ``macro``.
        shape: ``(channels, height, width)`` of one image.
    """
    if not _is_small(shape):
        return {}
    pools: dict[str, Any] = {"global_pool": ("none", "average")}
    return pools | {"stages": 2} if space == "cell" else pools


def _is_small(shape: tuple[int, ...]) -> bool:
    return math.prod(shape[1:]) <= _SMALL_IMAGE
