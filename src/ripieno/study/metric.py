"""What a search is after: a metric by name, of the recipe's, or the user's own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ripieno.errors import StudyError
from ripieno.recipes import TASKS, Data, Metric, Recipe, complete, find_metric, measure
from ripieno.records import Direction, Objective
from ripieno.study.user_code import is_reference, load_object

__all__ = ["Aim", "MetricInput", "find_aim", "find_aim_again"]

MetricInput = str | Metric | Callable[[Any, Any], float]
"""A name, ``"FILE.py:NAME"``, a ``rp.Metric``, or a function beside a direction."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a search is after, and the recipe that measures it.

    Args:
        objective: The metric's name and direction.
        recipe: The recipe, complete for the data, with the metric among its own.
        source: Where the metric is found again: None for one that is known by its name,
            ``FILE.py:NAME``, or ``custom`` for a Python object.
    """

    objective: Objective
    recipe: Recipe
    source: str | None


def find_aim(
    metric: MetricInput | None, direction: Direction | None, *, recipe: Recipe, data: Data
) -> Aim:
    """Find the metric and its direction.

    Args:
        metric: The metric; None for the task's own.
        direction: Whether less or more is better; None where the metric says so itself.
        recipe: How models are trained; its own metrics are known by their names.
        data: What they are trained on.

    Raises:
        RecipeError: The recipe is for another task, or the metric is not known.
        StudyError: The direction is not known, or the metric is not defined on the
            validation part.
    """
    recipe = complete(recipe, data)
    task = TASKS[data.task]
    if metric == "train_loss":
        return Aim(Objective(metric, direction or "minimize"), _with(recipe, task.primary), None)
    metric = metric or task.primary
    found, source = _find(metric, direction, recipe=recipe, data=data)
    recipe = _with(recipe, metric if isinstance(metric, str) and source is None else found)
    recipe = complete(_with(recipe, task.primary), data)
    return Aim(Objective(found.name, direction or found.direction), recipe, source)


def find_aim_again(
    objective: Objective,
    source: str | None,
    metric: MetricInput | None,
    *,
    recipe: Recipe,
    data: Data,
) -> Aim:
    """Find the metric of a study that was begun before; see :func:`find_aim`.

    Args:
        objective: What the study is after.
        source: Where the metric is found again, as :class:`Aim` says.
        metric: The metric, if it was a Python object.
        recipe: How models are trained.
        data: What they are trained on.

    Raises:
        StudyError: The metric is needed and is not here, or is another one.
    """
    if metric is None and source != "custom":
        metric = source
    if metric is None and source == "custom":
        raise StudyError(
            f"the study's metric {objective.metric!r} was a Python object.",
            where=f"metric {objective.metric!r}, {objective.direction}",
            fix="pass it again: rp.open(path, metric=…).",
        )
    aim = find_aim(metric or objective.metric, objective.direction, recipe=recipe, data=data)
    if aim.objective != objective:
        raise StudyError(
            f"the metric is {aim.objective.metric!r}, and the study's is {objective.metric!r}.",
            where="rp.open(path, metric=…)",
            fix="pass the metric that the study was begun with.",
        )
    return aim


def _find(
    metric: MetricInput, direction: Direction | None, *, recipe: Recipe, data: Data
) -> tuple[Metric, str | None]:
    if isinstance(metric, str) and is_reference(metric):
        path, _, name = metric.rpartition(":")
        made = load_object(metric)
        return _own(made, direction, where=metric), f"{Path(path).resolve()}:{name}"
    if not isinstance(metric, str):
        return _own(metric, direction, where="metric="), "custom"
    for own in recipe.metrics or ():
        if isinstance(own, Metric) and own.name == metric:
            return own, None
    found = find_metric(metric, data.task)
    _check_defined(found, data)
    return found, None


def _own(made: object, direction: Direction | None, *, where: str) -> Metric:
    if isinstance(made, Metric):
        return made
    if not callable(made):
        raise StudyError(
            f"a {type(made).__name__} is no metric.",
            where=where,
            fix="give a name, a rp.Metric, or a function metric(y_true, predictions).",
        )
    if direction is None:
        raise StudyError(
            f"it is not known whether more of {getattr(made, '__name__', made)!r} is better.",
            where=where,
            fix="say direction='maximize' or 'minimize', or make it a rp.Metric.",
        )
    return Metric(made, direction=direction)


def _with(recipe: Recipe, metric: str | Metric) -> Recipe:
    """Return a recipe that measures the metric too."""
    kept = recipe.metrics or ()
    own = {other.name for other in kept if isinstance(other, Metric)}
    if metric in kept or (isinstance(metric, str) and metric in own):
        return recipe
    return replace(recipe, metrics=(*kept, metric))


def _check_defined(metric: Metric, data: Data) -> None:
    """Refuse a metric that no model could have on these validation rows."""
    y = data.validation.y
    even = np.full((len(y), data.outputs), 1.0 / max(2, data.outputs))
    value = measure(even, y, metrics=(metric,), task=data.task)[metric.name]
    if value == value:  # noqa: PLR0124 - NaN differs from itself
        return
    raise StudyError(
        f"the metric {metric.name!r} is not defined on the validation part.",
        where=f"{data.name}: its {len(y)} rows lack rows of a class, or rows without a label",
        fix="give a validation part with rows of every kind, or choose another metric.",
    )
