"""What a config's loss is, and the numbers that it reads."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import RecipeError
from ripieno.recipes.bilevel_knobs import bilevel_names, started
from ripieno.recipes.data import Data
from ripieno.recipes.knobs import KNOBS, check_knob, closest
from ripieno.recipes.losses import LossFunction, balanced_weights, find_loss
from ripieno.recipes.recipe import Recipe, Weights
from ripieno.recipes.tasks import TaskName
from ripieno.space import Config, Value

__all__ = ["WEIGHED_TASKS", "balanced_pos_weight", "chosen_loss", "loss_options"]

WEIGHED_TASKS: Mapping[str, TaskName] = MappingProxyType(
    {"class_weights": "classification", "pos_weight": "multilabel"}
)
"""The options that are weights, one an output, and the task that each is for."""

_LEAST_TUNED = 1e-6


def chosen_loss(recipe: Recipe, config: Mapping[str, Value]) -> str | LossFunction:
    """Return the loss of a config: its knob ``loss``, else the recipe's.

    Args:
        recipe: A completed recipe.
        config: Hyperparameters.
    """
    chosen = config.get("loss")
    check_knob("loss", chosen)
    loss = chosen if isinstance(chosen, str) else recipe.loss
    assert loss is not None  # noqa: S101 - what completing a recipe gives it
    return loss


def loss_options(
    recipe: Recipe, config: Config, data: Data
) -> dict[str, float | NDArray[np.float64]]:
    """Return what the loss of a config reads, by the names of its options.

    Weights, float64 of shape ``(outputs,)``, are left out where the config has none.

    Raises:
        RecipeError: Weights name something that the data do not have, or a value is not
            allowed.
    """
    found: dict[str, float | NDArray[np.float64]] = {}
    for option in find_loss(chosen_loss(recipe, config)).options:
        if option not in WEIGHED_TASKS:
            value = {**config, **started(config)}.get(option, KNOBS[option].default)
            check_knob(option, value)
            found[option] = float(value or 0.0)
            continue
        tuned = option in bilevel_names(str(config.get("hypergradient", "off")))
        if WEIGHED_TASKS[option] != data.task:
            if tuned:
                _refuse_task(option, data)
            continue
        given: Weights | None = getattr(recipe, option)
        chosen = _choice(option, given, config)
        if chosen is not None or tuned:
            weights = np.ones(data.outputs) if chosen is None else _weights(option, chosen, data)
            # No step leads away from zero, which a class without rows has.
            found[option] = np.maximum(weights, _LEAST_TUNED) if tuned else weights
    return found


def _refuse_task(option: str, data: Data) -> None:
    raise RecipeError(
        f"{option!r} cannot tune itself: it is for a {WEIGHED_TASKS[option]}, and this is a "
        f"{data.task}.",
        where=f"{data.name}, the training hyperparameter 'hypergradient'",
        fix="leave it out.",
    )


def balanced_pos_weight(y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``rows without / rows with`` of each label, shape ``(labels,)``.

    A label that no row has gets 1: there is nothing to weigh.

    Args:
        y: 0 and 1, shape ``(rows, labels)``.
    """
    there = y.sum(axis=0)
    weights: NDArray[np.float64] = np.where(there > 0, (len(y) - there) / np.maximum(there, 1), 1.0)
    return weights


def _choice(option: str, given: Weights | None, config: Config) -> Weights | None:
    """Return the config's weights, or the recipe's where it does not speak of them."""
    chosen: Any = config.get(option) if option in config else given
    if chosen == "given":
        if given is None:
            raise RecipeError(
                f"{option!r} is 'given', and the recipe gives none.",
                where=f"{config!r}",
                fix=f"pass Recipe(…, {option}={{name: weight, …}}).",
            )
        return given
    return chosen  # type: ignore[no-any-return]


def _weights(option: str, chosen: Weights, data: Data) -> NDArray[np.float64]:
    if chosen == "balanced":
        if option == "pos_weight":
            return balanced_pos_weight(data.train.y)
        return balanced_weights(data.train.y, data.outputs)
    strange = [name for name in chosen if name not in data.classes]
    missing = [name for name in data.classes if name not in chosen]
    if strange or missing:
        raise RecipeError(
            f"{option} {'names' if strange else 'lacks'} {(strange or missing)[0]!r}.",
            where=f"{data.name}: {', '.join(map(str, data.classes[:8]))}",
            fix="give one weight for each of these."
            + closest((strange or missing)[0], [str(name) for name in data.classes]),
        )
    return np.array([float(chosen[name]) for name in data.classes])
