"""Choosing members of an ensemble from a library of models that are there anyway.

Greedy forward selection with replacement: again and again the model is added that makes the
mean prediction best, and a model's weight is how often it was added. Three things keep it
from overfitting the rows it selects on: a *sorted start* (the best few models are all taken
before the first choice), *bags* (the selection is repeated on random halves of the library
and averaged), and the log loss as the metric unless another one is asked for: on few rows
many ensembles have equal accuracy, and greedy selection by accuracy can end up worse than
the best single model.

Source: Caruana, Niculescu-Mizil, Crew, Ksikes, Ensemble selection from libraries of models,
ICML 2004.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.ensembles.checks import (
    METRICS,
    SelectionMetric,
    balanced_shares,
    first_metric,
    label_truths,
)
from ripieno.ensembles.metrics import SMALLEST
from ripieno.ensembles.predictions import Predictions
from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = ["greedy_selection", "of_truth", "own_losses"]

_SMALLEST_BAG = 5
_BLOCKS = 8
_CHUNK = 20_000_000
# Losses this near are equal: the rounding of a sum must not pass for an improvement.
_NOISE = 1e-12


Floats = NDArray[np.floating[Any]]


def greedy_selection(
    predictions: Predictions,
    *,
    rounds: int = 50,
    bags: int = 10,
    bag_share: float = 0.5,
    sorted_start: int = 25,
    seed: int = 0,
    metric: SelectionMetric | None = None,
) -> NDArray[np.float64]:
    """Choose weights for a weighted mean of probabilities, or of values.

    One selection starts with the best ``n`` models, where ``n <= sorted_start`` is the number
    whose mean is best, adds one model a round, and keeps the best prefix of the rounds. Ties
    go to a model that is in already, then to the one with the lower log loss of its own, then
    to the first in the library. The result is the average over bags, unless that average is
    worse on these rows than the best single model: then it is one selection from the whole
    library, which never is. (With the log loss an average of bags is at most as bad as the
    bags are on average, but a bag may be without the best model.)

    Args:
        predictions: The library: probabilities on rows that no member was trained on.
        rounds: Models added after the start.
        bags: How often to select from a random part of the library; 0 selects once from all.
        bag_share: Size of the part, in (0, 1]; never fewer than five models where there are
            as many, because a bag of one or two chooses nothing.
        sorted_start: The most models to start with; 0 starts with none.
        seed: Seed of the bags. A bag is drawn by the models' ranks, so the order in which the
            library lists them does not matter.
        metric: What to improve; None takes the log loss, and for a regression the RMSE.

    Returns:
        Weights, float64, shape ``(members,)``, not negative and of sum 1; 0 for models left out.

    Raises:
        EnsembleError: An argument is out of range.
    """
    metric = metric or first_metric(predictions.task)
    _check(rounds=rounds, bags=bags, bag_share=bag_share, start=sorted_start)
    _check_metric(metric, predictions.task)
    library = _library(predictions, metric)
    alone = _candidate_losses(library, np.zeros(library.stack.shape[1:]), 1)
    tiebreak = (
        alone if metric == "log_loss" or metric in _OF_ERRORS else _own_log_losses(predictions)
    )
    ranking = np.lexsort((tiebreak, alone))

    def select(models: NDArray[np.intp]) -> NDArray[np.float64]:
        counts = _select(
            library.part(models), tiebreak[models], rounds=rounds, sorted_start=sorted_start
        )
        weights = np.zeros(predictions.members)
        weights[models] = counts / counts.sum()
        return weights

    if bags:
        share = math.ceil(bag_share * predictions.members)
        size = max(share, min(predictions.members, _SMALLEST_BAG))
        rng = np.random.default_rng(seed)
        draws = [rng.choice(predictions.members, size, replace=False) for _ in range(bags)]
        weights: NDArray[np.float64] = np.mean(
            [select(ranking[np.sort(ranks)]) for ranks in draws], axis=0
        )
        if library.loss(weights) <= alone.min() + _NOISE:
            return weights
    return select(ranking)


def own_losses(predictions: Predictions) -> NDArray[np.float64]:
    """Return each member's own loss by the task's first metric, shape ``(members,)``."""
    library = _library(predictions, first_metric(predictions.task))
    return _candidate_losses(library, np.zeros(library.stack.shape[1:]), 1)


@dataclass(frozen=True, slots=True)
class _Library:
    """What a metric needs of each model, and the metric of sums of models.

    Args:
        stack: Shape ``(models, rows)`` or ``(models, rows, classes)``; the sum over chosen
            models, divided by their number, stands for the ensemble.
        losses: Maps sums ``(candidates, …)`` and the number of models in each sum to losses
            ``(candidates,)``; less is better.
        prefers_longer: Whether a loss that is reached again by a longer prefix replaces it.
    """

    stack: Floats
    losses: Callable[[Floats, int], NDArray[np.float64]]
    prefers_longer: bool

    def part(self, models: NDArray[np.intp]) -> "_Library":
        return _Library(self.stack[models], self.losses, self.prefers_longer)

    def loss(self, weights: NDArray[np.float64]) -> float:
        pooled: NDArray[np.float64] = np.tensordot(weights, self.stack, axes=1)
        return float(self.losses(pooled[None], 1)[0])


def _library(predictions: Predictions, metric: SelectionMetric) -> _Library:
    if metric in _OF_ERRORS or (predictions.task == "multilabel" and metric == "brier"):
        # Weights have the sum 1, so the error of a mean is the mean of the errors.
        errors = predictions.probabilities - predictions.targets
        return _Library(errors, _OF_ERRORS.get(metric, _squares), prefers_longer=False)
    if metric == "log_loss":
        # The log loss of a mean looks at the true class alone: classes-fold less work.
        return _Library(of_truth(predictions), _log_losses, prefers_longer=False)
    targets = predictions.targets
    stack = predictions.probabilities
    if metric in {"accuracy", "balanced_accuracy"}:
        even = np.full(len(targets), 1.0 / len(targets))
        shares = even if metric == "accuracy" else balanced_shares(targets)
        return _Library(
            stack,
            lambda sums, _: (sums.argmax(axis=2) != targets) @ shares,
            prefers_longer=True,
        )
    rows = np.arange(predictions.rows)

    def briers(sums: Floats, count: int) -> NDArray[np.float64]:
        error = sums / float(count)
        error[:, rows, targets] -= 1.0
        squares: NDArray[np.float64] = np.einsum("mrc,mrc->m", error, error)
        return squares / predictions.rows

    return _Library(stack, briers, prefers_longer=False)


def _rmse(sums: Floats, count: int) -> NDArray[np.float64]:
    """Return the RMSE of mean errors, the mean over the columns, ``(candidates,)``."""
    squares = np.einsum("mrc,mrc->mc", sums, sums) / sums.shape[1]
    roots: NDArray[np.float64] = np.sqrt(squares).mean(axis=1) / count
    return roots


def _mae(sums: Floats, count: int) -> NDArray[np.float64]:
    """Return the mean absolute value of mean errors, ``(candidates,)``."""
    means: NDArray[np.float64] = np.abs(sums).mean(axis=(1, 2), dtype=np.float64) / count
    return means


def _squares(sums: Floats, count: int) -> NDArray[np.float64]:
    """Return the mean square of mean errors over rows and columns, ``(candidates,)``."""
    total = np.einsum("mrc,mrc->m", sums, sums)
    means: NDArray[np.float64] = total / (count**2 * sums.shape[1] * sums.shape[2])
    return means


_OF_ERRORS: Mapping[str, Callable[[Floats, int], NDArray[np.float64]]] = {
    "rmse": _rmse,
    "mae": _mae,
}


def of_truth(predictions: Predictions) -> NDArray[np.float64]:
    """Return the probability of what is true of each row (or label), ``(members, rows)``."""
    if predictions.task == "multilabel":
        # What is true of each label is a row of its own: the mean over both is one mean.
        truths = label_truths(predictions.probabilities, predictions.targets)
        return truths.reshape(len(truths), -1)
    rows = np.arange(predictions.rows)
    of_truth = predictions.probabilities[:, rows, predictions.targets].astype(np.float64)
    # Clipped once, here: a mean of numbers that are not below the bound is not either.
    return np.clip(of_truth, SMALLEST, None)


def _own_log_losses(predictions: Predictions) -> NDArray[np.float64]:
    return _log_losses(of_truth(predictions), 1)


def _log_losses(sums: Floats, count: int) -> NDArray[np.float64]:
    """Return ``-mean ln(sums / count)`` over the rows, shape ``(candidates,)``.

    The logarithm is of products of eight rows instead of each row: multiplying is many times
    quicker, and eight factors of at least 1.2e-38 do not underflow.
    """
    candidates, rows = sums.shape
    length = rows // _BLOCKS
    head, tail = sums[:, : _BLOCKS * length], sums[:, _BLOCKS * length :]
    products = head.reshape(candidates, _BLOCKS, length).prod(axis=1)
    total = np.log(products).sum(axis=1) + np.log(tail).sum(axis=1)
    losses: NDArray[np.float64] = math.log(count) - total / rows
    return losses


def _select(
    library: _Library, tiebreak: NDArray[np.float64], *, rounds: int, sorted_start: int
) -> NDArray[np.int64]:
    """Return how often each model is chosen; the models come best first."""
    counts = np.zeros(len(library.stack), dtype=np.int64)
    size, best, best_loss = 0, counts, math.inf
    if sorted_start:
        size, best_loss = _start(library, sorted_start)
        counts[:size] = 1
        best = counts.copy()
    total = library.stack[:size].sum(axis=0, dtype=np.float64)
    for _ in range(rounds):
        losses = _candidate_losses(library, total, size + 1)
        tied = np.flatnonzero(losses <= losses.min() + _NOISE)
        # lexsort reads its last key first, and keeps the library's order among equals.
        pick = tied[np.lexsort((tiebreak[tied], counts[tied] == 0))[0]]
        counts[pick] += 1
        size += 1
        total = total + library.stack[pick]
        if losses[pick] < best_loss + (_NOISE if library.prefers_longer else -_NOISE):
            best, best_loss = counts.copy(), float(losses[pick])
    return best


def _start(library: _Library, sorted_start: int) -> tuple[int, float]:
    """Return how many of the first models have the best mean, and its loss."""
    sums = library.stack[:sorted_start].cumsum(axis=0, dtype=np.float64)
    losses = np.concatenate([library.losses(sums[n : n + 1], n + 1) for n in range(len(sums))])
    reached = np.flatnonzero(losses <= losses.min() + _NOISE)
    best = int(reached[-1 if library.prefers_longer else 0])
    return best + 1, float(losses[best])


def _candidate_losses(library: _Library, total: Floats, count: int) -> NDArray[np.float64]:
    """Return the loss after adding each model, in chunks that fit into memory."""
    stack = library.stack
    chunk = max(1, _CHUNK // max(1, total.size))
    parts = [
        library.losses(total + stack[begin : begin + chunk], count)
        for begin in range(0, len(stack), chunk)
    ]
    return np.concatenate(parts)


def _check(*, rounds: int, bags: int, bag_share: float, start: int) -> None:
    if rounds < 0 or bags < 0 or start < 0 or rounds + start < 1:
        problem = f"rounds = {rounds}, sorted_start = {start} and bags = {bags} choose no model."
        fix = "use whole numbers that are not negative, and rounds or sorted_start above 0."
    elif not 0 < bag_share <= 1:
        problem = f"bag_share = {bag_share} is not a share of the library."
        fix = "use a share above 0 and at most 1, for example 0.5."
    else:
        return
    raise EnsembleError(problem, where="greedy_selection", fix=fix)


def _check_metric(metric: str, task: TaskName) -> None:
    first, *others = METRICS[task]
    if metric in METRICS[task]:
        return
    reason = " (also for accuracy: it overfits less)" if others else ""
    raise EnsembleError(
        f"metric = {metric!r} is not a metric of selection.",
        where=f"greedy_selection over predictions of {task}",
        fix=f"use {first!r}{reason}{''.join(f', {name!r}' for name in others)}.",
    )
