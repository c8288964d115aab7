"""Whole trainings by the trainer itself, short and on a part of large data, and their curves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ripieno.diagnostics.practice import knobs_of
from ripieno.diagnostics.rows import has_classes
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
    draws,
    measure,
    predict_probabilities,
)
from ripieno.records import Arrays, Metrics, Order, OutcomeStatus
from ripieno.space import Config

__all__ = ["Run", "constant_losses", "epochs_for", "part_of", "train"]

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
        train_loss: Log loss of training rows in evaluation mode; NaN where it diverged or
            targets are no classes.
        validation_loss: Log loss of the validation rows; NaN likewise.
        train_accuracy: Share of training rows answered right.
        validation_accuracy: Share of validation rows answered right.
    """

    config: Config
    history: tuple[Metrics, ...]
    diverged: bool
    train_loss: float = np.nan
    validation_loss: float = np.nan
    train_accuracy: float = np.nan
    validation_accuracy: float = np.nan

    @property
    def best_validation(self) -> float:
        """The lowest validation loss of all epochs; NaN where none was measured."""
        values = [row["log_loss"] for row in self.history if "log_loss" in row]
        return min(values, default=np.nan)


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
    recipe = replace(recipe, model=changed, epochs=epochs, epoch_rows=rows)
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
    run = Run(config, outcome.metrics, diverged)
    if diverged or not has_classes(data) or outcome.state is None:
        return run
    module = _loaded(recipe, data, config, seed=seed, arrays=store.arrays[outcome.state])
    with alone():
        return _measured(run, module, data, seed=seed)


def constant_losses(data: Data) -> tuple[float, float]:
    """Return the log loss on training and validation rows of always giving class frequencies.

    Frequencies are those of the training part, each class counted once more.
    """
    counts = np.bincount(data.train.y, minlength=len(data.classes)) + 1.0
    logs = np.log(counts / counts.sum())
    return float(-logs[data.train.y].mean()), float(-logs[data.validation.y].mean())


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


def _measured(run: Run, module: nn.Module, data: Data, *, seed: int) -> Run:
    found = []
    for part in (_sample(data.train, _MEASURED_ROWS, seed=seed), data.validation):
        answers = predict_probabilities(module, part.x)
        found.append(measure(answers, part.y))
    return replace(
        run,
        train_loss=found[0]["log_loss"],
        validation_loss=found[1]["log_loss"],
        train_accuracy=found[0]["accuracy"],
        validation_accuracy=found[1]["accuracy"],
    )


def _sample(part: Split, most: int, *, seed: int) -> Split:
    """Return at most so many rows of a part, drawn by the seed, in their order, as arrays."""
    if len(part) <= most and isinstance(part.x, np.ndarray):
        return part
    rows = np.sort(draws.permutation(seed, 0, len(part)).numpy()[:most])
    return Split(part.x[rows], part.y[rows])
