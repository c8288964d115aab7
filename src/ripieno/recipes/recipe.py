"""How one model is trained: frozen data, no behaviour."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes.knobs import check_knob, closest
from ripieno.recipes.losses import LOSSES
from ripieno.recipes.metrics import METRICS
from ripieno.recipes.optimizers import OptimizerFactory, find_optimizer
from ripieno.space import Categorical, Config, Constant, Float, Int, Space, Value

__all__ = ["ModelFactory", "Recipe", "extremes"]

ModelFactory = Callable[[Config], nn.Module]
"""A function that builds an untrained module out of a config."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one model is trained.

    A hyperparameter whose name stands in :data:`~ripieno.recipes.KNOBS` configures the
    training; every other one belongs to the model factory, which is given the whole config.

    Args:
        model: Builds the module out of a config: logits ``(batch, classes)`` from inputs
            ``(batch, *features)``.
        loss: Name of the loss.
        metrics: Names of what is measured on the validation part after every epoch.
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

    Raises:
        RecipeError: A field or a knob in the space has an impossible value.
    """

    model: ModelFactory
    loss: str = "cross_entropy"
    metrics: tuple[str, ...] = ("log_loss", "accuracy")
    epochs: int = 27
    epoch_rows: int | None = None
    space: Space | None = None
    name: str = "custom"
    dtype: Literal["float32", "float64"] = "float32"
    monitor: str | None = None
    optimizers: Mapping[str, OptimizerFactory] = field(default_factory=dict)

    @property
    def monitored(self) -> str:
        """The metric that is watched."""
        return self.metrics[0] if self.monitor is None else self.monitor

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", tuple(self.metrics))
        if not callable(self.model):
            raise RecipeError(
                f"the model is {self.model!r}, which cannot be called.",
                where=f"Recipe(name={self.name!r})",
                fix="pass a function that takes a config and returns an nn.Module.",
            )
        _check_choice("loss", self.loss, LOSSES)
        for metric in self.metrics:
            _check_choice("metric", metric, METRICS)
        if self.monitor is not None:
            _check_choice("monitor", self.monitor, self.metrics)
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
