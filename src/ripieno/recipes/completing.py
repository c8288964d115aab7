"""A recipe beside its data: what it left to the task is filled in, and what clashes is said."""

from collections.abc import Iterable
from dataclasses import replace

from ripieno.errors import RecipeError
from ripieno.recipes.data import Data
from ripieno.recipes.loss_options import WEIGHED_TASKS
from ripieno.recipes.losses import LOSSES, find_loss, loss_name
from ripieno.recipes.metrics import METRICS, Metric, find_metric
from ripieno.recipes.recipe import Recipe, extremes
from ripieno.recipes.tasks import TASKS
from ripieno.space import Categorical, Constant

__all__ = ["complete"]


def complete(recipe: Recipe, data: Data) -> Recipe:
    """Return the recipe with the loss and the metrics that the task of the data asks for.

    Raises:
        RecipeError: Its loss, one that its space holds, a metric or weights are for another
            task.
    """
    task = TASKS[data.task]
    loss = task.loss if recipe.loss is None else recipe.loss
    metrics = task.metrics if recipe.metrics is None else recipe.metrics
    for name in (loss, *_searched_losses(recipe)):
        found = find_loss(name)
        if data.task not in found.tasks:
            fitting = [n for n, other in LOSSES.items() if data.task in other.tasks]
            raise RecipeError(
                f"the loss {loss_name(name)!r} is for {' and '.join(sorted(found.tasks))}.",
                where=f"{data.name} is a {data.task} task",
                fix=f"use {', '.join(fitting)}, or leave the loss out.",
            )
    _check_metrics(metrics, data)
    for option, wanted in WEIGHED_TASKS.items():
        weighs = getattr(recipe, option) is not None or _weighs(recipe, option)
        if weighs and data.task != wanted:
            raise RecipeError(
                f"{option} is for {wanted}.",
                where=f"{data.name} is a {data.task} task",
                fix=f"leave {option} out"
                + (", or use pos_weight." if data.task == "multilabel" else "."),
            )
    # What is monitored is checked beside the metrics that are known now.
    return replace(recipe, loss=loss, metrics=metrics)


def _check_metrics(metrics: Iterable[str | Metric], data: Data) -> None:
    names: set[str] = set()
    for metric in metrics:
        name = find_metric(metric, data.task).name
        if name in names or (isinstance(metric, Metric) and name in METRICS[data.task]):
            raise RecipeError(
                f"two metrics are called {name!r}.",
                where=f"{data.name} is a {data.task} task, with metrics of its own",
                fix="give yours another name: rp.Metric(function, direction=…, name=…).",
            )
        names.add(name)


def _weighs(recipe: Recipe, option: str) -> bool:
    """Say whether some config of the space weighs classes or labels."""
    if recipe.space is None or option not in recipe.space:
        return False
    return any(value is not None for value in extremes(recipe.space, option))


def _searched_losses(recipe: Recipe) -> Iterable[str]:
    """Return the losses that the space holds."""
    domain = recipe.space["loss"] if recipe.space is not None and "loss" in recipe.space else None
    match domain:
        case Categorical(choices=choices):
            return [choice for choice in choices if isinstance(choice, str)]
        case Constant(value=str(value)):
            return [value]
    return []
