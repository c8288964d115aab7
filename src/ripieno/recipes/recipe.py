"""How one model is trained: frozen data, no behaviour."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes.knobs import check_knob, closest
from ripieno.recipes.losses import LOSSES, LossFunction
from ripieno.recipes.metrics import Metric, check_metric
from ripieno.recipes.optimizers import OptimizerFactory, find_optimizer
from ripieno.recipes.splits import Label
from ripieno.recipes.tasks import TASKS
from ripieno.space import Categorical, Config, Constant, Float, Int, Space, Value

__all__ = ["ModelFactory", "Recipe", "Weights", "extremes"]

ModelFactory = Callable[[Config], nn.Module]
"""A function that builds an untrained module out of a config."""

Weights = Literal["balanced"] | Mapping[Label, float]
"""Weights of classes or labels by name, or made of how often each one is seen."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one model is trained.

    A hyperparameter whose name stands in :data:`~ripieno.recipes.KNOBS` configures the
    training; every other one belongs to the model factory, which is given the whole config.

    Args:
        model: Builds the module out of a config: from inputs ``(batch, *features)`` logits
            ``(batch, classes)``, log-odds ``(batch, labels)`` or values ``(batch, columns)``.
        loss: Name of the loss, or your own: ``loss(outputs, targets)`` returns one number an
            example or their mean. Targets are int64 classes ``(batch,)``, or labels 0 and 1
            or scaled values of the shape and type of the outputs. None takes the task's:
            ``cross_entropy``, ``binary_cross_entropy`` or ``mse``.
        metrics: What is measured on the validation part after every epoch: names, or your
            own as a :class:`~ripieno.recipes.Metric`. None takes the task's.
        epochs: Length of the whole training, which the learning-rate schedule spans.
        epoch_rows: Rows of an epoch; None for the whole training part. On large data an epoch
            of fewer rows lets a scheduler look earlier; see :func:`draws.epoch_order`.
        space: The hyperparameters that are searched by default; None where there are none.
        name: What a record of the study calls it.
        dtype: Floating-point type of parameters and inputs.
        monitor: The metric that early stopping, ``restore="best"`` and the plateau schedule
            watch; the first of the metrics where absent.
        optimizers: Optimizers of your own by the names that the hyperparameter ``optimizer``
            then takes; see :func:`~ripieno.recipes.build_optimizer` for how they are called.
        class_weights: For classification: what an example of each class counts in the loss,
            by class, or ``"balanced"``. A hyperparameter of the name goes before it.
        pos_weight: For several labels: what a label counts where it is there, by label, or
            ``"balanced"``. A hyperparameter of the name goes before it.
        channels_last: Whether a model that is trained alone keeps images as height, width,
            channels in memory: the same numbers up to rounding, and faster for most networks
            of convolutions. None: where there are convolutions of images, and the model runs
            so (one that takes a ``view`` of its maps does not, one that takes ``flatten`` or
            ``reshape`` does).

    Raises:
        RecipeError: A field or a knob in the space has an impossible value.
    """

    model: ModelFactory
    loss: str | LossFunction | None = None
    metrics: tuple[str | Metric, ...] | None = None
    epochs: int = 27
    epoch_rows: int | None = None
    space: Space | None = None
    name: str = "custom"
    dtype: Literal["float32", "float64"] = "float32"
    monitor: str | None = None
    optimizers: Mapping[str, OptimizerFactory] = field(default_factory=dict)
    class_weights: Weights | None = None
    pos_weight: Weights | None = None
    channels_last: bool | None = None

    @property
    def measured(self) -> tuple[str, ...]:
        """Names of the metrics; none where they are left to the task."""
        return tuple(m if isinstance(m, str) else m.name for m in self.metrics or ())

    @property
    def monitored(self) -> str:
        """The metric that is watched, of a recipe that names its metrics."""
        return self.measured[0] if self.monitor is None else self.monitor

    def __post_init__(self) -> None:
        if self.metrics is not None:
            object.__setattr__(self, "metrics", tuple(self.metrics))
        if not callable(self.model):
            raise RecipeError(
                f"the model is {self.model!r}, which cannot be called.",
                where=f"Recipe(name={self.name!r})",
                fix="pass a function that takes a config and returns an nn.Module.",
            )
        _check_aims(self)
        _check_weights("class_weights", self.class_weights)
        _check_weights("pos_weight", self.pos_weight)
        _check_choice("dtype", self.dtype, ("float32", "float64"))
        if type(self.epochs) is not int or self.epochs < 1:
            raise RecipeError(
                f"epochs = {self.epochs!r} trains nothing.",
                where=f"Recipe(name={self.name!r})",
                fix="give a whole number of epochs, at least 1.",
            )
        if self.epoch_rows is not None and self.epoch_rows < 1:
            raise RecipeError(
                f"epoch_rows = {self.epoch_rows!r} trains nothing.",
                where=f"Recipe(name={self.name!r})",
                fix="give a whole number of rows, or None for the whole training part.",
            )
        for name in self.space or ():
            for value in extremes(self.space, name):
                check_knob(name, value, optimizers=self.optimizers)
                if name == "optimizer":
                    find_optimizer(str(value), self.optimizers)


def _check_choice(kind: str, value: str, choices: Iterable[str]) -> None:
    if value not in tuple(choices):
        raise RecipeError(
            f"there is no {kind} {value!r}.",
            where=f"Recipe({kind}={value!r})",
            fix=f"use one of {', '.join(choices)}.{closest(value, choices)}",
        )


def _check_aims(recipe: Recipe) -> None:
    if isinstance(recipe.loss, str):
        _check_choice("loss", recipe.loss, LOSSES)
    for metric in recipe.metrics or ():
        check_metric(metric)
    if recipe.monitor is not None:
        usual = [name for task in TASKS.values() for name in task.metrics]
        _check_choice("monitor", recipe.monitor, recipe.measured or usual)


def _check_weights(name: str, weights: Weights | None) -> None:
    if weights is None or weights == "balanced":
        return
    given: object = weights
    numbers = list(given.values()) if isinstance(given, Mapping) else []
    if numbers and all(math.isfinite(n) and n >= 0 for n in numbers) and any(numbers):
        return
    raise RecipeError(
        f"{name} = {weights!r} weighs nothing.",
        where=f"Recipe({name}=…)",
        fix="use 'balanced', or a mapping of every name to a weight of at least 0.",
    )


def extremes(space: Space | None, name: str) -> tuple[Value, ...]:
    """Return the values of a domain at which a knob would refuse it."""
    match space and space[name]:
        case Categorical(choices=choices):
            return choices
        case Constant(value=value):
            return (value,)
        case Float(low=low, high=high) | Int(low=low, high=high):
            return (low, high)
    return ()
