"""Trials of several models, one for each fold and repeated seed, as rows of one stack."""

from collections.abc import Sequence
from itertools import groupby

from ripieno.population.group import Row
from ripieno.recipes import Data, join, mean_metrics, read_knobs, replicas_of
from ripieno.records import Order

__all__ = ["joined", "rows_of"]


def rows_of(order: Order, *, study_seed: int, folds: int, seeds: int) -> list[Row]:
    """Return an order's rows, one a replica."""
    knobs = read_knobs(order.config)
    replicas = replicas_of(order.trial, study_seed=study_seed, folds=folds, seeds=seeds)
    return [Row(order, r.seed, knobs, fold=r.fold, name=r.name) for r in replicas]


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


def _joined(rows: Sequence[Row], data: Data, measured: Sequence[str]) -> Row:
    first = rows[0]
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
        finished=join(finished, data, measured=measured) if len(finished) == len(rows) else None,
    )
