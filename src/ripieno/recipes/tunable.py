"""Whether the knobs of a config can tune themselves on the validation part."""

from ripieno.errors import RecipeError
from ripieno.recipes.bilevel_knobs import BILEVEL, bilevel_names
from ripieno.recipes.knobs import Knobs, read_knobs
from ripieno.recipes.loss_options import chosen_loss
from ripieno.recipes.losses import LOSS_OPTIONS, LOSSES, find_loss, loss_name
from ripieno.recipes.optimizers import OPTIMIZERS, decouples
from ripieno.recipes.rate_free import RATE_FREE
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.tuner import Tuner
from ripieno.space import Config

__all__ = ["is_tunable", "refuse_alone"]


def is_tunable(recipe: Recipe, config: Config) -> bool:
    """Say whether the knobs of a config that are to tune themselves can do so in a stack."""
    knobs = read_knobs(config, optimizers=recipe.optimizers)
    stacked = knobs.optimizer in OPTIMIZERS and knobs.optimizer not in recipe.optimizers
    return stacked and _obstacle(recipe, config, knobs) is None


def refuse_alone(recipe: Recipe, config: Config, *, tuner: Tuner | None, devices: int) -> None:
    """Refuse knobs that are to tune themselves and cannot in a model that is trained alone.

    Args:
        recipe: How it is trained.
        config: Its config.
        tuner: What computes hypergradients.
        devices: How many train it together.

    Raises:
        RecipeError: They cannot.
    """
    knobs = read_knobs(config, optimizers=recipe.optimizers)
    if not bilevel_names(knobs.hypergradient):
        return
    found = _obstacle(recipe, config, knobs)
    if found is None and knobs.optimizer in RATE_FREE:
        found = f"{knobs.optimizer!r} answers with other weights than it trains", "take another"
    if found is None and devices > 1:
        found = f"{devices} devices train a model together", "train it on one; or tune lr alone"
    if found is None and tuner is None:
        found = "the runner has no tuner", "pass tuner=ripieno.hypergradient.KnobTuner()"
    if found is None:
        return
    problem, fix = found
    raise RecipeError(
        f"hypergradient = {knobs.hypergradient!r} cannot be: {problem}.",
        where=f"{config!r}",
        fix=f"{fix}.",
    )


def _obstacle(recipe: Recipe, config: Config, knobs: Knobs) -> tuple[str, str] | None:
    """Return why knobs cannot tune themselves, and the way out; None where they can."""
    names = bilevel_names(knobs.hypergradient)
    loss = chosen_loss(recipe, config)
    unread = [n for n in names if n in LOSS_OPTIONS and n not in find_loss(loss).options]
    if unread:
        readers = [name for name, other in LOSSES.items() if unread[0] in other.options]
        return (
            f"the loss {loss_name(loss)!r} does not read {unread[0]!r}",
            f"leave it out, or choose a loss that does, of the data's task: {', '.join(readers)}",
        )
    if "weight_decay" in (BILEVEL[name] for name in names) and decouples(knobs):
        return (
            f"the weight decay of {knobs.optimizer!r} is no part of the loss",
            "set decoupled_weight_decay=False, or take sgd or adam",
        )
    return None
