"""Whole trainings by the trainer itself, short and on a part of large data, and their curves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ripieno.diagnostics.practice import knobs_of
from ripieno.diagnostics.yardstick import Yardstick
from ripieno.errors import ArtifactError, RecipeError
from ripieno.recipes import (
    Data,
    Recipe,
    Split,
    State,
    TrainerRunner,
    alone,
    as_tensor,
    build_model,
    complete,
    draws,
    measure,
    predict,
)
from ripieno.records import Arrays, Metrics, Order, OutcomeStatus
from ripieno.space import Config

__all__ = ["Run", "epochs_for", "part_of", "train"]

_STEPS = 600
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 20
_MOST_ROWS = 20_000
_MEASURED_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Run:
    """What one training gave.

    Args:
        config: What was trained.
        history: One row of metrics an epoch.
        diverged: Whether a number was no longer finite.
        curve: Loss of the validation rows after each epoch, by the yardstick of the task;
            empty where nothing fits.
        train_loss: Loss of training rows in evaluation mode; NaN where it diverged or nothing
            fits.
        validation_loss: Loss of the validation rows; NaN likewise.
        train_accuracy: Share of training rows answered right; NaN without classes.
        validation_accuracy: Share of validation rows answered right; NaN without classes.
        untrained: A loss that differences are measured by: of the first epoch's training, or
            of a constant answer.
    """

    config: Config
    history: tuple[Metrics, ...]
    diverged: bool
    curve: tuple[float, ...] = ()
    train_loss: float = np.nan
    validation_loss: float = np.nan
    train_accuracy: float = np.nan
    validation_accuracy: float = np.nan
    untrained: float = 0.0

    @property
    def best_validation(self) -> float:
        """The lowest validation loss of all epochs; NaN where none was measured."""
        return min(self.curve, default=np.nan)


def part_of(data: Data, *, seed: int) -> Data:
    """Return data with at most 20,000 training and 2,000 validation rows, without folds."""
    return replace(
        data,
        train=_sample(data.train, _MOST_ROWS, seed=seed),
        validation=_sample(data.validation, _MEASURED_ROWS, seed=seed),
        test=None,
        folds=None,
    )


def epochs_for(recipe: Recipe, data: Data, config: Config) -> int:
    """Return how many epochs a doctor trains: about 600 steps, 5 to 20 epochs."""
    steps = max(1, len(data.train) // knobs_of(recipe, config).batch_size)
    return min(recipe.epochs, max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, _STEPS // steps)))


def train(
    recipe: Recipe,
    data: Data,
    config: Config,
    *,
    epochs: int,
    seed: int = 0,
    change: Callable[[nn.Module], nn.Module] | None = None,
) -> Run:
    """Train as a study would, and measure the result on training rows too.

    Args:
        recipe: How.
        data: On what, without folds.
        config: Of the training.
        epochs: How long; the schedule spans them.
        seed: The study's seed; the trial is the first one.
        change: What is done to the untrained model.

    Raises:
        RecipeError: The model raises an error.
    """
    size = knobs_of(recipe, config).batch_size
    rows = min(len(data.train), max(1, 2 * _STEPS * size // epochs))
    changed = recipe.model if change is None else _Changed(recipe.model, change)
    stick = Yardstick.of(recipe, data, config)
    recipe = _measuring(
        replace(recipe, model=changed, epochs=epochs, epoch_rows=rows), stick.metric, data
    )
    store = _Last()
    order = Order(0, config, 0, epochs)
    outcome = next(TrainerRunner(recipe, data, seed).run([order], store, lambda: False))
    if outcome.status is OutcomeStatus.FAILED:
        lines = (outcome.error or "no reason was given").strip().splitlines()
        raise RecipeError(
            f"the model cannot be trained: {lines[0]}",
            where=f"the model of {recipe.name!r}",
            fix="run one batch through the model by hand, and mend what it raises.",
        )
    diverged = outcome.status is OutcomeStatus.DIVERGED
    curve = tuple(map(stick.epoch_loss, outcome.metrics)) if stick.metric else ()
    first = outcome.metrics[0]["train_loss"] if outcome.metrics else 0.0
    untrained = 1.0 if stick.metric and data.coding.is_regression else first
    run = Run(config, outcome.metrics, diverged, curve, untrained=untrained)
    if diverged or stick.metric is None or outcome.state is None:
        return run
    module = _loaded(recipe, data, config, seed=seed, arrays=store.arrays[outcome.state])
    with alone():
        return _measured(run, module, data, stick=stick, seed=seed)


class _Last:
    """Keeps what one order leaves, in memory."""

    def __init__(self) -> None:
        self.arrays: dict[str, Arrays] = {}

    def write(self, name: str, arrays: Arrays, facts: Mapping[str, Any] | None = None) -> str:  # noqa: ARG002 - the protocol's signature
        self.arrays[name] = arrays
        return name

    def read(self, key: str) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        if key not in self.arrays:
            raise ArtifactError(
                f"nothing was kept under {key!r}.", where="memory", fix="write it first."
            )
        return dict(self.arrays[key]), {}

    def delete(self, key: str) -> None:
        self.arrays.pop(key, None)


@dataclass(frozen=True, slots=True)
class _Changed:
    """A model factory whose models are changed before they are trained."""

    model: Callable[[Config], nn.Module]
    change: Callable[[nn.Module], nn.Module]

    def __call__(self, config: Config) -> nn.Module:
        return self.change(self.model(config))


def _loaded(recipe: Recipe, data: Data, config: Config, *, seed: int, arrays: Arrays) -> nn.Module:
    example = as_tensor(data.train.x[:2]).to(getattr(torch, recipe.dtype))
    module = build_model(recipe, config, seed, example=example)
    State.from_arrays(arrays).load_into(module)
    return module


def _measuring(recipe: Recipe, metric: str | None, data: Data) -> Recipe:
    """Return the recipe, complete for the data, with a metric among those it measures."""
    recipe = complete(recipe, data)
    if metric is None or metric in recipe.measured:
        return recipe
    return replace(recipe, metrics=(*(recipe.metrics or ()), metric))


def _measured(run: Run, module: nn.Module, data: Data, *, stick: Yardstick, seed: int) -> Run:
    found = []
    for part in (_sample(data.train, _MEASURED_ROWS, seed=seed), data.validation):
        answers = predict(module, part.x, data.coding)
        found.append(measure(answers, part.y, task=data.task))
    return replace(
        run,
        train_loss=stick.loss(found[0]),
        validation_loss=stick.loss(found[1]),
        train_accuracy=found[0].get("accuracy", np.nan),
        validation_accuracy=found[1].get("accuracy", np.nan),
    )


def _sample(part: Split, most: int, *, seed: int) -> Split:
    """Return at most so many rows of a part, drawn by the seed, in their order, as arrays."""
    if len(part) <= most and isinstance(part.x, np.ndarray):
        return part
    rows = np.sort(draws.permutation(seed, 0, len(part)).numpy()[:most])
    return Split(part.x[rows], part.y[rows])
