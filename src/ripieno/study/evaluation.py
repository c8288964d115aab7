"""From a search's trials to an ensemble and its numbers.

The ensemble is selected on the validation predictions that the trials left behind. The test
part is read by :func:`evaluate` and nowhere else, once the search is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.ensembles import (
    Ensemble,
    Predictions,
    SelectionMetric,
    gain_interval,
    greedy_selection,
    selection_metric,
)
from ripieno.recipes import TASKS, TaskName, measure
from ripieno.records import ArtifactStore, Trial
from ripieno.study.jobs import TuneJob
from ripieno.study.members import assemble, load_models, predict_test
from ripieno.study.results import EnsembleResult

__all__ = ["Chosen", "Evaluation", "choose", "evaluate"]

_LIBRARY = 200
"""Trials that enter the selection at most: the best by the metric of selection. With more, the
weaker ones only give the selection more chances to fit the noise of the validation part."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An ensemble as it was selected: whose votes, with which weights.

    Args:
        job: What the trials train.
        artifacts: Where their states lie.
        reference: The recipe's name in the study's settings.
        members: The ensemble's trials, heaviest first.
        weights: One weight a member, of sum 1.
        validation: Metrics on the part it was selected on.
        selected_by: The metric that it was selected by.
    """

    job: TuneJob
    artifacts: ArtifactStore
    reference: str
    members: tuple[Trial, ...]
    weights: tuple[float, ...]
    validation: dict[str, float]
    selected_by: SelectionMetric

    def build(self) -> Ensemble:
        """Return the ensemble as one module, its members' weights loaded."""
        return assemble(
            self.job,
            self.members,
            self.weights,
            artifacts=self.artifacts,
            reference=self.reference,
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an ensemble, its members and the best trial give on the test part.

    Args:
        chosen: The ensemble.
        result: Its numbers.
        best_test: The best trial's metrics on the test part; empty without one.
        best_predictions: Of the best trial on the test part, ``(rows, outputs)``, or None.
        predictions: Of the ensemble on the test part, ``(rows, outputs)``, or None.
        member_test: Each member's metrics on the test part; empty without one.
    """

    chosen: Chosen
    result: EnsembleResult
    best_test: dict[str, float]
    best_predictions: NDArray[np.floating[Any]] | None = None
    predictions: NDArray[np.float64] | None = None
    member_test: tuple[dict[str, float], ...] = ()


def choose(
    job: TuneJob,
    library: Sequence[Trial],
    artifacts: ArtifactStore,
    *,
    reference: str,
    wanted: str,
    rounds: int = 50,
    bags: int = 10,
) -> Chosen:
    """Select an ensemble on the validation part; the test part is not touched.

    Args:
        job: What the trials train.
        library: Trials with stored states and predictions.
        artifacts: Where those lie.
        reference: The recipe's name in the study's settings.
        wanted: The metric that the study is after.
        rounds: Models added after the start of the greedy selection.
        bags: Random halves of the library to select from.

    Raises:
        ArtifactError: Stored predictions are missing or damaged.
    """
    metric = selection_metric(wanted, job.data.task)
    library = _best(library, metric, job.data.task)[:_LIBRARY]
    predictions = _read_predictions(job, library, artifacts)
    weights = greedy_selection(predictions, rounds=rounds, bags=bags, metric=metric)
    order = sorted(np.flatnonzero(weights), key=lambda row: -weights[row])
    return Chosen(
        job=job,
        artifacts=artifacts,
        reference=reference,
        members=tuple(library[row] for row in order),
        weights=tuple(float(weights[row]) for row in order),
        validation=_measure(job, predictions.mean(weights), job.data.targets),
        selected_by=metric,
    )


def evaluate(chosen: Chosen, best: Trial) -> Evaluation:
    """Measure an ensemble and the best trial on the test part, if there is one."""
    result = EnsembleResult(
        members=[trial.id for trial in chosen.members],
        weights=[round(weight, 6) for weight in chosen.weights],
        validation=chosen.validation,
        selected_by=chosen.selected_by,
    )
    job = chosen.job
    test = job.data.test
    if test is None:
        return Evaluation(chosen, result, best_test={})
    parts = {
        trial.id: predict_test(job, load_models(job, trial, chosen.artifacts))
        for trial in {trial.id: trial for trial in (best, *chosen.members)}.values()
    }
    votes = np.stack([parts[trial.id] for trial in chosen.members])
    pooled = np.tensordot(np.array(chosen.weights), votes, axes=1)
    gain = gain_interval(parts[best.id], pooled, test.y, task=job.data.task)
    measured = replace(
        result,
        test=_measure(job, pooled, test.y),
        gain={gain.metric: gain.value, "low": gain.low, "high": gain.high},
    )
    return Evaluation(
        chosen,
        measured,
        best_test=_measure(job, parts[best.id], test.y),
        best_predictions=parts[best.id],
        predictions=pooled,
        member_test=tuple(_measure(job, parts[trial.id], test.y) for trial in chosen.members),
    )


def _best(library: Sequence[Trial], metric: SelectionMetric, task: TaskName) -> list[Trial]:
    """Return the trials, the best one by the metric first; the task's own decides on ties."""
    first = TASKS[task].primary

    def rank(trial: Trial) -> tuple[float, float, int]:
        value = trial.metrics.get(metric, trial.metrics[first])
        return (-value if metric == "accuracy" else value, trial.metrics[first], trial.id)

    return sorted(library, key=rank)


def _measure(
    job: TuneJob, predictions: NDArray[np.floating[Any]], y: NDArray[Any]
) -> dict[str, float]:
    return measure(predictions, y, metrics=job.recipe.metrics, task=job.data.task)


def _read_predictions(
    job: TuneJob, library: Sequence[Trial], artifacts: ArtifactStore
) -> Predictions:
    """Read the stored validation predictions of every trial of the library."""
    data = job.data
    parts = []
    for trial in library:
        assert trial.predictions is not None  # noqa: S101 - what makes it part of the library
        arrays, facts = artifacts.read(trial.predictions)
        stored: NDArray[Any] = arrays[data.coding.stored]
        parts.append(
            Predictions(
                stored[None],
                data.targets,
                (str(trial.id),),
                str(facts["fingerprint"]),
                data.task,
            )
        )
    return Predictions.stack(parts)
