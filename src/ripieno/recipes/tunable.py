"""Whether the knobs of a config can tune themselves on the validation part."""

from ripieno.errors import RecipeError
from ripieno.recipes.bilevel_knobs import bilevel_names
from ripieno.recipes.knobs import Knobs, read_knobs
from ripieno.recipes.loss_options import chosen_loss
from ripieno.recipes.losses import LOSS_OPTIONS, find_loss
from ripieno.recipes.optimizers import OPTIMIZERS, decouples
from ripieno.recipes.recipe import Recipe
from ripieno.space import Config

__all__ = ["is_tunable", "refuse_alone"]


def is_tunable(recipe: Recipe, config: Config) -> bool:
    """Say whether the knobs of a config that are to tune themselves can do so in a stack."""
    return _obstacle(recipe, config, read_knobs(config, optimizers=recipe.optimizers)) is None


def refuse_alone(recipe: Recipe, config: Config) -> None:
    """Refuse knobs that tune themselves on the validation part, which only a stack's rows do.

    Raises:
        RecipeError: The config has any.
    """
    knobs = read_knobs(config, optimizers=recipe.optimizers)
    if not bilevel_names(knobs.hypergradient):
        return
    problem, fix = _obstacle(recipe, config, knobs) or (
        "the model is trained alone, and knobs tune themselves in the population engine only",
        "leave tier and devices as they are; of a model that cannot be stacked tune lr alone",
    )
    raise RecipeError(
        f"hypergradient = {knobs.hypergradient!r} cannot be: {problem}.",
        where=f"{config!r}",
        fix=f"{fix}.",
    )


def _obstacle(recipe: Recipe, config: Config, knobs: Knobs) -> tuple[str, str] | None:
    """Return why knobs cannot tune themselves, and the way out; None where they can."""
    names = bilevel_names(knobs.hypergradient)
    loss = find_loss(chosen_loss(recipe, config))
    unread = [n for n in names if n in LOSS_OPTIONS and n not in loss.options]
    if unread:
        return f"the loss does not read {unread[0]!r}", "leave it out, or choose a loss that does"
    if "weight_decay" in names and decouples(knobs):
        return (
            f"the weight decay of {knobs.optimizer!r} is no part of the loss",
            "set decoupled_weight_decay=False, or take sgd or adam",
        )
    if knobs.optimizer not in OPTIMIZERS or knobs.optimizer in recipe.optimizers:
        return (
            f"the optimizer {knobs.optimizer!r} has no stacked form",
            f"use one of {', '.join(OPTIMIZERS)}",
        )
    return None
