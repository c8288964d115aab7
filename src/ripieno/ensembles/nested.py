"""What a combiner is worth, estimated on the rows that it is fitted on, without flattery."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ripieno.ensembles.checks import SelectionMetric
from ripieno.ensembles.combination import Combiner, fit_combiner
from ripieno.ensembles.gain import Gain, gain_interval
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.selection import own_losses
from ripieno.errors import EnsembleError

__all__ = ["nested_answers", "nested_gain"]


def nested_answers(
    combiner: Combiner, library: Predictions, *, folds: int = 5, seed: int = 0
) -> NDArray[np.float64]:
    """Return an answer for each row by a combiner that was fitted on other rows.

    The rows are divided into folds, as evenly over the classes as possible; the answers to
    those of one fold come from a combiner that was fitted on the others. So they can be
    calibrated on, or measured, as if they were on new rows.

    Args:
        combiner: Fitted once a fold.
        library: Predictions on rows that no member was trained on.
        folds: At least 2, at most as many as there are rows.
        seed: Of the division.

    Returns:
        Probabilities or values, shape ``(rows, outputs)``.

    Raises:
        EnsembleError: There are too few rows, or the combiner cannot be fitted.
    """
    answers = np.empty((library.rows, library.classes))
    for inside, outside in _folds(library, folds, seed):
        found = fit_combiner(combiner, library.subset(rows=inside))
        answers[outside] = found.answer(library.subset(rows=outside))
    return answers


def nested_gain(
    combiner: Combiner,
    library: Predictions,
    *,
    folds: int = 5,
    metric: SelectionMetric | None = None,
    seed: int = 0,
) -> Gain:
    """Estimate what a combiner gains over picking the best single member.

    Both are chosen on the other folds and compared on one, fold by fold, so that neither is
    flattered: the single member's luck counts for as little as the combiner's.

    Args:
        combiner: What is judged.
        library: Predictions on rows that no member was trained on.
        folds: At least 2.
        metric: What is measured; the task's own where absent.
        seed: Of the folds and of the bootstrap.

    Raises:
        EnsembleError: There are too few rows, or the combiner cannot be fitted.
    """
    together = nested_answers(combiner, library, folds=folds, seed=seed)
    single = np.empty_like(together)
    for inside, outside in _folds(library, folds, seed):
        best = int(own_losses(library.subset(rows=inside)).argmin())
        single[outside] = library.probabilities[best, outside]
    return gain_interval(
        single, together, library.targets, metric=metric, task=library.task, seed=seed
    )


def _folds(
    library: Predictions, folds: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the rows to fit on and the rows to answer for, in order."""
    if not 2 <= folds <= library.rows:
        raise EnsembleError(
            f"{library.rows} rows cannot be divided into {folds} folds.",
            where="nested folds",
            fix=f"use from 2 to {library.rows} folds.",
        )
    order = np.random.default_rng(seed).permutation(library.rows)
    if library.task == "classification":
        order = order[np.argsort(library.targets[order], kind="stable")]
    fold = np.empty(library.rows, dtype=np.intp)
    # Dealt out like cards: each fold gets its share of every class.
    fold[order] = np.arange(library.rows) % folds
    for number in range(folds):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)
