"""Configs that are trained as rows of one stack from the beginning to the end."""

from collections.abc import Collection, Sequence

from ripieno.errors import RecipeError
from ripieno.population.hyper import common
from ripieno.recipes import Data, Knobs, Recipe, bilevel_names, read_knobs
from ripieno.space import Config

__all__ = ["alike"]


def alike(
    recipe: Recipe, data: Data, configs: Sequence[Config], *, kind: str, refused: Collection[str]
) -> list[Knobs]:
    """Return the knobs of configs that can be rows of one stack.

    Args:
        recipe: How models are trained.
        data: What they are trained on.
        configs: One a row.
        kind: What the stack is called in a message.
        refused: Knobs that such a stack cannot have, by name.

    Raises:
        RecipeError: There is no config, the data are a stream or have folds, or the configs
            differ in what the rows of a stack have in common.
    """
    if not configs or data.streamed or len(data.parts) > 1:
        raise RecipeError(
            f"{kind} needs configs, and data that are arrays without folds.",
            where=f"{len(configs)} configs, data {data.name!r}, folds: {len(data.parts)}",
            fix="load the data into memory with folds=1, and give at least one config.",
        )
    knobs = [read_knobs(config, optimizers=recipe.optimizers) for config in configs]
    for row, own in enumerate(knobs):
        if common(own) != common(knobs[0]) or own.loss != knobs[0].loss:
            raise RecipeError(
                f"configs 0 and {row} cannot be rows of one stack.",
                where=f"{configs[row]!r}",
                fix="give configs of one optimizer, batch size and loss.",
            )
        used = [name for name in refused if getattr(own, name)]
        if bilevel_names(own.hypergradient):
            used.append(f"hypergradient={own.hypergradient!r}")
        if used:
            raise RecipeError(
                f"{kind} has no {' and no '.join(used)}.",
                where=f"{configs[row]!r}",
                fix=f"leave {' and '.join(used)} out.",
            )
    return knobs
