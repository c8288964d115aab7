"""Whether a network can learn one batch by heart, and whether its loss fits its outputs."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ripieno.diagnostics.finding import Finding, number
from ripieno.diagnostics.practice import Practice, drawn_alone
from ripieno.diagnostics.rows import has_classes
from ripieno.recipes import Data, Recipe, TaskName
from ripieno.space import Config

__all__ = ["OneBatch", "outputs_fit_the_loss", "overfit_one_batch", "undropped"]

_ROWS = 32
_LEARNT = 0.9
_FELL = 0.5
_KNOWN = 0.1  # of the first loss: a batch that is known by heart has less


@dataclass(frozen=True, slots=True)
class OneBatch:
    """A network trained on one batch again and again.

    Args:
        rows: Rows of the batch.
        steps: Steps taken.
        rate: The learning rate.
        first: Loss before the first step.
        last: Loss after the last step.
        accuracy: Share of the batch's rows answered right at the end; None without classes.
        commonest: Share of the batch's most frequent class; None without classes.
        simplex: Whether every row of outputs is positive and sums to one: probabilities.
        bounded: Whether all outputs lie between zero and one.
        clipped: Whether no output is below zero, and some are exactly zero.
        task: What is predicted.
        lowest: Smallest target as the loss is given it.
        highest: Largest one.
    """

    rows: int
    steps: int
    rate: float
    first: float
    last: float
    accuracy: float | None
    commonest: float | None
    simplex: bool = False
    bounded: bool = False
    clipped: bool = False
    task: TaskName = "classification"
    lowest: float = 0.0
    highest: float = 0.0


def overfit_one_batch(
    recipe: Recipe, data: Data, config: Config, *, rate: float, steps: int = 150, seed: int = 0
) -> OneBatch:
    """Train on one batch of at most 32 rows, without dropout, until it is known by heart.

    Args:
        recipe: How the model is trained.
        data: Whose training part gives the batch.
        config: Of the model and optimizer.
        rate: The learning rate: not the config's, so that a bad one is not blamed on the rest.
        steps: How many at most.
        seed: Of the weights and the batch.

    Raises:
        RecipeError: The model raises an error.
    """
    with drawn_alone(seed):
        practice = Practice(recipe, data, config, seed=seed)
        undropped(practice.module)
        rows = next(practice.batches(1))[:_ROWS]
        losses = []
        for _ in range(steps):
            losses.append(practice.step(rows, rate=rate))
            if not np.isfinite(losses[-1]) or losses[-1] < 0.01 * losses[0]:
                break
        # As the steps saw it: a batch norm's own statistics lag behind.
        with torch.no_grad():
            last = practice.loss(rows).item()
            outputs = practice.module(practice.x[rows]).double().numpy()
    y = practice.y[rows].numpy()
    classes = has_classes(data) and outputs.ndim == 2
    inside = bool(((outputs >= 0.0) & (outputs <= 1.0)).all())
    return OneBatch(
        rows=len(rows),
        steps=len(losses),
        rate=rate,
        first=losses[0],
        last=last,
        accuracy=float((outputs.argmax(axis=1) == y).mean()) if classes else None,
        commonest=float(np.bincount(y).max() / len(y)) if classes else None,
        simplex=inside and classes and bool(np.allclose(outputs.sum(axis=1), 1.0, atol=1e-4)),
        bounded=inside,
        clipped=bool((outputs >= 0.0).all() and (outputs == 0.0).any()),
        task=data.task,
        lowest=float(y.min()),
        highest=float(y.max()),
    )


def outputs_fit_the_loss(batch: OneBatch) -> list[Finding]:
    """Find outputs that are no logits, or a loss that falls while the answers stay wrong."""
    if batch.task != "classification":
        return _confined(batch)
    if batch.accuracy is None or batch.commonest is None:
        return []
    evidence: dict[str, float | int | str] = {"loss": batch.last, "accuracy": batch.accuracy}
    if batch.simplex or batch.bounded:
        what = "probabilities" if batch.simplex else "numbers between 0 and 1"
        sentence = (
            f"The model returns {what} where the loss expects logits: on one batch of "
            f"{batch.rows} rows the loss cannot fall far, and ends at {number(batch.last)}."
        )
        fix = "Let the last layer be linear: the loss applies the softmax itself."
    elif batch.clipped:
        sentence = (
            "The model returns no number below zero where the loss expects logits: the outputs "
            f"pass through a relu. The loss of one batch ends at {number(batch.last)}."
        )
        fix = "Let the last layer be linear, without an activation after it."
    elif _falls_for_nothing(batch):
        sentence = (
            f"The loss of one batch falls from {number(batch.first)} to {number(batch.last)}, and "
            f"{batch.accuracy:.0%} of its {batch.rows} rows are answered right: the loss does not "
            "measure the task."
        )
        fix = "Use the loss of the task: cross_entropy for one class a row."
    else:
        return []
    return [Finding("wrong_loss", "warning", sentence, evidence, fix)]


def _confined(batch: OneBatch) -> list[Finding]:
    """Find outputs that cannot be the log-odds of labels, or the values that are wanted."""
    if batch.last < _KNOWN * batch.first or not (batch.bounded or batch.clipped):
        return []
    what = "no number below zero"
    if batch.bounded:
        what = "numbers between 0 and 1 alone"
    if batch.task == "multilabel":
        wanted = "the loss expects log-odds of any sign"
    elif batch.lowest < 0.0 or (batch.bounded and batch.highest > 1.0):
        wanted = (
            f"the targets as it is trained on them lie between {number(batch.lowest)} and "
            f"{number(batch.highest)}"
        )
    else:
        return []
    return [
        Finding(
            "wrong_loss",
            "warning",
            f"The model returns {what}, and {wanted}: the loss of one batch of {batch.rows} rows "
            f"ends at {number(batch.last)}.",
            {"loss": batch.last, "lowest_target": batch.lowest, "highest_target": batch.highest},
            "Let the last layer be linear: probabilities, and values in the target's own units, "
            "are made of its outputs.",
        )
    ]


def cannot_fit(batch: OneBatch) -> list[Finding]:
    """Find a network that does not learn one batch by heart."""
    learnt = batch.last < (1.0 - _FELL) * batch.first
    if batch.accuracy is not None:
        learnt = batch.accuracy >= _LEARNT
    if learnt:
        return []
    right = "" if batch.accuracy is None else f", with {batch.accuracy:.0%} of the answers right"
    return [
        Finding(
            "cannot_fit_one_batch",
            "warning",
            f"The network does not learn one batch of {batch.rows} rows by heart: after "
            f"{batch.steps} steps at a learning rate of {number(batch.rate)} its loss went from "
            f"{number(batch.first)} to {number(batch.last)}{right}.",
            {"first": batch.first, "last": batch.last, "steps": batch.steps, "rate": batch.rate},
            "Look for a fault in the model: a layer that is cut off, a wrong axis, a missing "
            "non-linearity, equal rows with unlike targets.",
        )
    ]


def undropped(module: nn.Module) -> nn.Module:
    """Set the probability of every dropout to zero, in place, and return the module."""
    for part in module.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd):  # noqa: SLF001 - torch has no public base
            part.p = 0.0
    return module


def _falls_for_nothing(batch: OneBatch) -> bool:
    if batch.accuracy is None or batch.commonest is None:
        return False
    return batch.last < (1.0 - _FELL) * batch.first and batch.accuracy <= max(
        batch.commonest, _FELL
    )
