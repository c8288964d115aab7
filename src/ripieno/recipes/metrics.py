"""What is measured on the validation part: metrics by name, and the user's own."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import RecipeError
from ripieno.recipes import class_metrics as classes
from ripieno.recipes import value_metrics as values
from ripieno.recipes.targets import sigmoid
from ripieno.recipes.tasks import TASKS, TaskName
from ripieno.records import Direction

__all__ = [
    "METRICS",
    "Metric",
    "check_metric",
    "direction_of",
    "find_metric",
    "measure",
    "measure_scores",
]

_TINY = float(np.finfo(np.float32).tiny)
_TAKEN = frozenset({"train_loss", "learning_rate"})


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that says how good answers are, and whether more or less of it is better.

    Args:
        function: ``function(y_true, predictions)`` returns the number. Of classification it
            is given class numbers ``(rows,)`` and probabilities ``(rows, classes)``, of
            several labels 0 and 1 and probabilities ``(rows, labels)``, and of regression
            targets and values in the target's own units, both ``(rows,)`` or
            ``(rows, columns)``.
        direction: ``"minimize"`` or ``"maximize"``.
        name: What it is called; the function's own name where absent.
        of: ``"labels"`` gives the function answers instead of probabilities: the likeliest
            class, or 0 and 1. (``"scores"`` gives it the logarithms of probabilities.)

    Raises:
        RecipeError: The function cannot be called, the name is taken, or a word is unknown.
    """

    function: Callable[[Any, Any], float]
    direction: Direction = field(kw_only=True)
    name: str = field(default="", kw_only=True)
    of: Literal["predictions", "labels", "scores"] = field(default="predictions", kw_only=True)

    def __post_init__(self) -> None:
        function: object = self.function
        name = self.name or getattr(function, "__name__", type(function).__name__)
        object.__setattr__(self, "name", name)
        if not callable(function):
            problem = f"the metric {function!r} cannot be called"
        elif self.direction not in {"minimize", "maximize"}:
            problem = f"direction = {self.direction!r} is neither 'minimize' nor 'maximize'"
        elif self.of not in {"predictions", "labels", "scores"}:
            problem = f"of = {self.of!r} is neither 'predictions' nor 'labels'"
        elif name in _TAKEN:
            problem = f"the name {name!r} is taken"
        else:
            return
        raise RecipeError(
            f"{problem}.",
            where=f"Metric(…, name={name!r})",
            fix="write Metric(function, direction='maximize'), with a name of its own.",
        )


def _built_in(*metrics: Metric) -> Mapping[str, Metric]:
    return MappingProxyType({metric.name: metric for metric in metrics})


METRICS: Mapping[TaskName, Mapping[str, Metric]] = MappingProxyType(
    {
        "classification": _built_in(
            Metric(classes.log_loss, direction="minimize", of="scores"),
            Metric(classes.accuracy, direction="maximize", of="labels"),
            Metric(classes.balanced_accuracy, direction="maximize", of="labels"),
            Metric(classes.f1_macro, direction="maximize", of="labels"),
            Metric(classes.f1_micro, direction="maximize", of="labels"),
            Metric(classes.auroc, direction="maximize"),
            Metric(classes.average_precision, direction="maximize"),
            Metric(classes.brier, direction="minimize"),
            Metric(classes.ece, direction="minimize"),
        ),
        "multilabel": _built_in(
            Metric(classes.label_log_loss, direction="minimize", name="log_loss"),
            Metric(classes.subset_accuracy, direction="maximize", of="labels"),
            Metric(
                partial(classes.label_f1, micro=False),
                direction="maximize", name="f1_macro", of="labels",
            ),
            Metric(
                partial(classes.label_f1, micro=True),
                direction="maximize", name="f1_micro", of="labels",
            ),
            Metric(
                classes.mean_over_labels(classes.auroc), direction="maximize", name="auroc"
            ),
            Metric(
                classes.mean_over_labels(classes.average_precision),
                direction="maximize", name="average_precision",
            ),
            Metric(
                classes.mean_over_labels(classes.brier), direction="minimize", name="brier"
            ),
        ),
        "regression": _built_in(
            Metric(values.rmse, direction="minimize"),
            Metric(values.mae, direction="minimize"),
            Metric(values.r2, direction="maximize"),
            Metric(values.mape, direction="minimize"),
            Metric(values.pinball, direction="minimize"),
        ),
    }
)  # fmt: skip
"""Metrics by task and name; ``pinball_0.9`` is the pinball loss of the level 0.9."""


def find_metric(metric: str | Metric, task: TaskName) -> Metric:
    """Return a metric by name; a user's own as it is.

    Raises:
        RecipeError: The task has no such metric.
    """
    if isinstance(metric, Metric):
        return metric
    known = METRICS[task]
    if metric in known:
        return known[metric]
    level = _level(metric)
    if task == "regression" and level is not None:
        return Metric(partial(values.pinball, level=level), direction="minimize", name=metric)
    close = difflib.get_close_matches(metric, known, n=1)
    others = [name for name, table in METRICS.items() if metric in table]
    problem = f"the metric {metric!r} is for {others[0]}" if others else f"no metric {metric!r}"
    raise RecipeError(
        f"{problem}." if others else f"there is {problem}.",
        where=f"metrics of {task}: {', '.join(known)}",
        fix=f"did you mean {close[0]!r}?" if close else "name one of these, or pass a rp.Metric.",
    )


def check_metric(metric: str | Metric) -> None:
    """Refuse what is a metric of no task.

    Raises:
        RecipeError: It is none.
    """
    every = {name for table in METRICS.values() for name in table}
    if isinstance(metric, Metric) or metric in every or _level(metric) is not None:
        return
    close = difflib.get_close_matches(str(metric), sorted(every), n=1)
    raise RecipeError(
        f"there is no metric {metric!r}.",
        where=f"metrics: {', '.join(sorted(every))}",
        fix=f"did you mean {close[0]!r}?" if close else "name one of these, or pass a rp.Metric.",
    )


def direction_of(name: str, metrics: Iterable[str | Metric] = ()) -> Direction:
    """Return whether less or more of a metric is better; the same in every task.

    Args:
        name: Name of the metric.
        metrics: Where those of the user's own are found.
    """
    own = [metric for metric in metrics if isinstance(metric, Metric)]
    known = [metric for table in METRICS.values() for metric in table.values()]
    return next((m.direction for m in (*own, *known) if m.name == name), "minimize")


def _level(metric: object) -> float | None:
    found = re.fullmatch(r"pinball_(0?\.\d+)", str(metric))
    level = float(found.group(1)) if found else 0.0
    return level if 0.0 < level < 1.0 else None


def measure(
    predictions: NDArray[np.floating],
    y: NDArray[Any],
    *,
    metrics: Sequence[str | Metric] | None = None,
    task: TaskName = "classification",
) -> dict[str, float]:
    """Measure predictions as they are stored.

    A class probability below the smallest normal float32, where float32 probabilities lose
    their digits, counts as that number, so that the log loss stays finite.

    Args:
        predictions: Probabilities ``(rows, classes)`` or ``(rows, labels)``, or values
            ``(rows, columns)``.
        y: Targets as a split holds them.
        metrics: What is measured; None for the task's own.
        task: The task.

    Raises:
        RecipeError: A metric is not known, or fails.
    """
    exact = predictions.astype(np.float64)
    logs = np.log(np.maximum(exact, _TINY)) if task == "classification" else exact
    views = {"predictions": exact, "scores": logs, "labels": _answers(logs, exact, task=task)}
    return _measured(views, y, metrics=metrics, task=task)


def measure_scores(
    scores: NDArray[np.float64],
    y: NDArray[Any],
    *,
    metrics: Sequence[str | Metric] | None = None,
    task: TaskName,
) -> dict[str, float]:
    """Measure scores as a network gives them; see :func:`measure` for the rest.

    Args:
        scores: Log-probabilities, log-odds or values; see :class:`~ripieno.recipes.Coding`.
        y: Targets as a split holds them.
        metrics: What is measured; None for the task's own.
        task: The task.

    Raises:
        RecipeError: A metric is not known, or fails.
    """
    views = {"scores": scores}
    needed = {find_metric(metric, task).of for metric in metrics or TASKS[task].metrics}
    if task != "classification" or "predictions" in needed:
        views["predictions"] = _exact(scores, task)
    if "labels" in needed:
        views["labels"] = _answers(scores, views.get("predictions", scores), task=task)
    return _measured(views, y, metrics=metrics, task=task)


def _exact(scores: NDArray[np.float64], task: TaskName) -> NDArray[np.float64]:
    if task == "regression":
        return scores
    probabilities: NDArray[np.float64] = (
        np.exp(scores) if task == "classification" else sigmoid(scores)
    )
    return probabilities


def _answers(scores: NDArray[Any], predictions: NDArray[Any], *, task: TaskName) -> NDArray[Any]:
    if task == "classification":
        return np.asarray(scores.argmax(axis=1))
    return (predictions > 0.5).astype(np.int64) if task == "multilabel" else predictions


def _measured(
    views: Mapping[str, NDArray[Any]],
    y: NDArray[Any],
    *,
    metrics: Sequence[str | Metric] | None,
    task: TaskName,
) -> dict[str, float]:
    chosen = [find_metric(metric, task) for metric in metrics or TASKS[task].metrics]
    flat = task == "regression" and y.ndim == 1
    return {
        metric.name: _number(metric, y, views[metric.of][:, 0] if flat else views[metric.of])
        for metric in chosen
    }


def _number(metric: Metric, y: NDArray[Any], view: NDArray[Any]) -> float:
    try:
        return float(metric.function(y, view))
    except Exception as error:  # a user's own metric may raise anything
        raise RecipeError(
            f"the metric {metric.name!r} failed with {type(error).__name__}: {error}.",
            where=f"targets of shape {y.shape}, {metric.of} of shape {view.shape}",
            fix="mend the function: metric(y_true, predictions) returns one number.",
        ) from error
