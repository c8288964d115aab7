"""All that a search is after: one metric or several, and the limits that trials have to keep."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ripieno.errors import StudyError
from ripieno.recipes import COSTS, Data, Recipe, complete
from ripieno.records import Direction, Goal, Limit, Objective
from ripieno.study.metric import MetricInput, find_aim, find_aim_again
from ripieno.study.settings import Settings

__all__ = [
    "Aims",
    "Constraints",
    "DirectionInputs",
    "MetricInputs",
    "cost_names",
    "find_aims",
    "find_aims_again",
    "read_goal",
]

MetricInputs = MetricInput | Sequence[MetricInput]
"""A metric, or several, of which the first decides where there can be but one best trial."""

DirectionInputs = Direction | Sequence[Direction]
"""One direction for all metrics, or one for each."""

Constraints = Mapping[str, tuple[str, float]] | Iterable[str | Limit]
"""``{"latency_ms": ("<=", 5)}``, or texts such as ``"latency_ms<=5"``."""


@dataclass(frozen=True, slots=True)
class Aims:
    """What a search is after, and the recipe that measures all but the costs.

    Args:
        goal: Metrics, directions and limits.
        recipe: The recipe, complete for the data, with all metrics among its own.
        sources: Where each objective's metric is found again; see ``Aim``.
    """

    goal: Goal
    recipe: Recipe
    sources: tuple[str | None, ...]


def find_aims(
    metrics: MetricInputs | None,
    direction: DirectionInputs | None,
    constraints: Constraints,
    *,
    recipe: Recipe,
    data: Data,
) -> Aims:
    """Find the metrics, their directions and the limits.

    Args:
        metrics: The metrics; None for the task's own.
        direction: Of all metrics, or one for each; None where they say so themselves.
        constraints: The limits.
        recipe: How models are trained; its own metrics are known by their names.
        data: What they are trained on.

    Raises:
        RecipeError: The recipe is for another task, or a metric is not known.
        SearchError: A metric stands twice, or a limit cannot be read.
        StudyError: A direction is not known, or a metric is not defined on the validation
            part.
    """
    found: Sequence[MetricInput | None] = _listed(metrics) if metrics is not None else [None]
    objectives: list[Objective] = []
    sources: list[str | None] = []
    for metric, way in zip(found, _directions(direction, len(found)), strict=True):
        if isinstance(metric, str) and _is_cost(metric, recipe):
            objectives.append(Objective(metric, way or "minimize"))
            sources.append(None)
            continue
        aim = find_aim(metric, way, recipe=recipe, data=data)
        recipe = aim.recipe
        objectives.append(aim.objective)
        sources.append(aim.source)
    goal = Goal(tuple(objectives), _limits(constraints))
    return Aims(goal, _measuring(goal, recipe, data), tuple(sources))


def find_aims_again(
    settings: Settings, metrics: MetricInputs | None, *, recipe: Recipe, data: Data
) -> Aims:
    """Find the metrics of a study that was begun before; see :func:`find_aims`.

    Args:
        settings: The study's settings.
        metrics: The metrics, if any of them was a Python object.
        recipe: How models are trained.
        data: What they are trained on.

    Raises:
        StudyError: A metric is needed and is not here, or is another one.
    """
    goal = settings.goal
    given: list[MetricInput | None] = [] if metrics is None else [*_listed(metrics)]
    given += [None] * (len(goal.objectives) - len(given))
    for objective, source, metric in zip(goal.objectives, settings.sources, given, strict=False):
        if source is None and _is_cost(objective.metric, recipe):
            continue
        recipe = find_aim_again(objective, source, metric, recipe=recipe, data=data).recipe
    return Aims(goal, _measuring(goal, recipe, data), settings.sources)


def read_goal(
    metrics: str | Sequence[str], direction: DirectionInputs, constraints: Constraints
) -> Goal:
    """Return the goal of a search over a function, which reports whatever it likes.

    Raises:
        SearchError: A metric stands twice, or a limit cannot be read.
        StudyError: There is another number of directions than of metrics.
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    pairs = zip(names, _directions(direction, len(names)), strict=True)
    objectives = tuple(Objective(name, way or "minimize") for name, way in pairs)
    return Goal(objectives, _limits(constraints))


def cost_names(goal: Goal, recipe: Recipe) -> tuple[str, ...]:
    """Return the metrics of a goal that are costs: known by name, and none of the recipe's own."""
    return tuple(name for name in goal.metrics if _is_cost(name, recipe))


def _is_cost(metric: str, recipe: Recipe) -> bool:
    return metric in COSTS and metric not in recipe.measured


def _measuring(goal: Goal, recipe: Recipe, data: Data) -> Recipe:
    """Return a recipe that measures the metrics of the limits too."""
    if all(_is_cost(name, recipe) for name in goal.names):
        recipe = find_aim(None, None, recipe=recipe, data=data).recipe
    for limit in goal.limits:
        if limit.metric not in goal.names and not _is_cost(limit.metric, recipe):
            recipe = find_aim(limit.metric, None, recipe=recipe, data=data).recipe
    return complete(recipe, data)


def _listed(metrics: MetricInputs) -> Sequence[MetricInput]:
    if isinstance(metrics, str) or not isinstance(metrics, Sequence):
        return [metrics]
    return list(metrics)


def _directions(direction: DirectionInputs | None, count: int) -> Sequence[Direction | None]:
    """Return one direction a metric."""
    if direction is None:
        return [None] * count
    # What is no direction at all is refused by the objective that it is given to.
    ways = [direction] * count if isinstance(direction, str) else list(direction)
    if len(ways) != count:
        raise StudyError(
            f"there are {len(ways)} directions for {count} metrics.",
            where=f"direction={direction!r}",
            fix="give one direction for all metrics, or one for each.",
        )
    return ways


def _limits(constraints: Constraints) -> tuple[Limit, ...]:
    if isinstance(constraints, Mapping):
        return tuple(_limit(metric, *rule) for metric, rule in constraints.items())
    return tuple(c if isinstance(c, Limit) else Limit.parse(c) for c in constraints)


def _limit(metric: str, relation: str, bound: float) -> Limit:
    return Limit.parse(f"{metric}{relation}{float(bound)!r}")
