"""What a study found, in the arrays of ``GridSearchCV.cv_results_``."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.recipes import Data, Metric, find_metric, measure
from ripieno.records import Trial
from ripieno.study import Study

__all__ = ["cv_results"]

Scores = NDArray[np.float64]


def cv_results(study: Study, data: Data, metric: str | Metric) -> dict[str, Any]:
    """Return one entry a trial of a study, in the sequence in which they were begun.

    The keys are those of ``GridSearchCV``; ``epochs`` is how long a trial was trained, which
    a scheduler may have cut short. The models of a trial are trained together, so that the
    time of each split is an even share. A trial that failed has NaN for scores and the
    last rank.

    Args:
        study: The study.
        data: What it was trained on.
        metric: What its trials are compared by; more of it is better.
    """
    metric = find_metric(metric, data.task)
    trials = study.trials
    rows = [slice(None)] if data.folds is None else list(data.folds.rows)
    found = [_scores(study, trial, data, metric=metric, rows=rows) for trial in trials]
    scores = np.array([each for each, _ in found])
    score_times = np.array([each for _, each in found])
    fit_times = np.array([trial.seconds / len(rows) for trial in trials])
    mean = scores.mean(axis=1)
    return {
        "mean_fit_time": fit_times,
        "std_fit_time": np.zeros(len(trials)),
        "mean_score_time": score_times.mean(axis=1),
        "std_score_time": score_times.std(axis=1),
        **_parameters(trials),
        "params": [dict(trial.config) for trial in trials],
        "epochs": np.array([trial.epochs for trial in trials]),
        **{f"split{number}_test_score": scores[:, number] for number in range(len(rows))},
        "mean_test_score": mean,
        "std_test_score": scores.std(axis=1),
        "rank_test_score": _ranks(mean),
    }


def _scores(
    study: Study, trial: Trial, data: Data, *, metric: Metric, rows: Sequence[Any]
) -> tuple[list[float], list[float]]:
    """Return a trial's score on each split, and the seconds that each took."""
    value = trial.value(study.settings.objective)
    if trial.predictions is None or np.isnan(value):
        return [np.nan] * len(rows), [0.0] * len(rows)
    arrays, _ = study.artifacts.read(trial.predictions)
    predictions: NDArray[Any] = arrays[data.coding.stored]
    scores, times = [], []
    for part in rows:
        began = time.perf_counter()
        found = measure(predictions[part], data.targets[part], metrics=[metric], task=data.task)
        scores.append(found[metric.name])
        times.append(time.perf_counter() - began)
    return scores, times


def _parameters(trials: Sequence[Trial]) -> dict[str, Any]:
    """Return a masked column for each hyperparameter, masked where it is inactive."""
    names = dict.fromkeys(name for trial in trials for name in trial.config)
    columns = {}
    for name in names:
        column = np.ma.MaskedArray(np.empty(len(trials), dtype=object), mask=True)
        for row, trial in enumerate(trials):
            if name in trial.config:
                column[row] = trial.config[name]
        columns[f"param_{name}"] = column
    return columns


def _ranks(scores: Scores) -> NDArray[np.int32]:
    """Return ranks from 1 up, equal ones for equal scores, NaN last."""
    known = np.where(np.isnan(scores), -np.inf, scores)
    return np.array([1 + int((known > score).sum()) for score in known], dtype=np.int32)
