"""The recipe ``nas``: architecture and training are searched together."""

from ripieno.nas.networks import ArchitectureFactory
from ripieno.nas.spaces import cell_space
from ripieno.recipes import Data, Recipe, Sizing, check_images, model_space
from ripieno.space import Space

__all__ = ["nas"]


def nas(data: Data, architectures: Space | None = None) -> Recipe:
    """Return the recipe of networks of cells that suit the images.

    Args:
        data: Images.
        architectures: What architectures there are: a :func:`cell_space` (of one cell a
            stage, 16 filters) where absent, a :func:`darts_space` or a :func:`macro_space`.

    Raises:
        RecipeError: The data are no images, or smaller than 2 x 2 pixels.
    """
    check_images(data, "nas")
    sizing = Sizing.of(len(data.train))
    chosen = architectures if architectures is not None else cell_space()
    space = model_space(dict(chosen), batch_sizes=sizing.batch_sizes)
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
