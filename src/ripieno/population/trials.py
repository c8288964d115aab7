"""Trials of several models, one for each fold and repeated seed, as rows of one stack."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from ripieno.population.rows import Row
from ripieno.recipes import (
    Data,
    Judging,
    Recipe,
    State,
    join,
    mean_metrics,
    read_knobs,
    replicas_of,
)
from ripieno.records import Metrics, Order, Target

__all__ = ["is_reached", "joined", "rows_of"]


def rows_of(
    order: Order, stored: State | None, *, recipe: Recipe, study_seed: int, folds: int, seeds: int
) -> list[Row]:
    """Return an order's rows, one a replica.

    Args:
        order: The order.
        stored: The trial's state that it goes on from.
        recipe: How models are trained.
        study_seed: The study's seed.
        folds: Folds of the data.
        seeds: Repeated seeds.
    """
    knobs = read_knobs(order.config, optimizers=recipe.optimizers)
    judging = Judging.of(recipe, knobs, stored)
    before = copy.deepcopy(judging)
    return [
        Row(order, r.seed, knobs, fold=r.fold, name=r.name, judging=judging, unjudged=before)
        for r in replicas_of(order.trial, study_seed=study_seed, folds=folds, seeds=seeds)
    ]


def joined(rows: Sequence[Row], data: Data, *, measured: Sequence[str]) -> list[Row]:
    """Return one row a trial, with the means of its replicas' metrics.

    Args:
        rows: The rows of trials, those of one trial beside each other.
        data: What they were trained on.
        measured: Metrics whose spread is recorded.
    """
    return [
        _joined(list(own), data, measured) for _, own in groupby(rows, lambda row: row.order.trial)
    ]


def is_reached(target: Target, rows: Sequence[Row]) -> bool:
    """Say whether the last epoch of any trial is good enough to end the search.

    Args:
        target: What is good enough.
        rows: The rows of trials, those of one trial beside each other.
    """
    return any(
        target.is_reached(_last(list(own))) for _, own in groupby(rows, lambda row: row.order.trial)
    )


def _last(rows: Sequence[Row]) -> Metrics:
    """Return a trial's metrics after the last epoch that all of its rows have finished."""
    first = rows[0]
    if first.judging is not None:
        return first.judged[-1].metrics if first.judged else {}
    epochs = min(len(row.metrics) for row in rows)
    if epochs == 0:
        return {}
    last = [row.metrics[epochs - 1] for row in rows]
    return last[0] if len(last) == 1 else mean_metrics(last, measured=())


def _joined(rows: Sequence[Row], data: Data, measured: Sequence[str]) -> Row:
    first = rows[0]
    seconds = sum(row.seconds for row in rows)
    if first.judging is not None:
        left = first.judged[-1] if first.judged and first.error is None else None
        metrics = [each.metrics for each in first.judged]
        return replace(first, metrics=metrics, held=left, seconds=seconds)
    if len(rows) == 1:
        return first
    # Zipped to the shortest: where one diverged, its epoch is none of the trial's.
    epochs = zip(*(row.metrics for row in rows), strict=False)
    finished = [row.finished for row in rows if row.finished is not None]
    return Row(
        first.order,
        first.seed,
        first.knobs,
        metrics=[mean_metrics(epoch, measured=measured) for epoch in epochs],
        status=first.status,
        error=first.error,
        held=join(finished, data, measured=measured) if len(finished) == len(rows) else None,
        seconds=seconds,
    )
