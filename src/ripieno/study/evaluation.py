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
    CalibrationName,
    Combination,
    Combiner,
    Ensemble,
    Gain,
    GreedySelection,
    Isotonic,
    Predictions,
    SelectionMetric,
    Temperature,
    Vector,
    calibrate,
    calibrated,
    fit_combiner,
    gain_interval,
    nested_answers,
    nested_gain,
    selection_metric,
)
from ripieno.recipes import TASKS, TaskName, measure
from ripieno.records import ArtifactStore, Trial
from ripieno.study.jobs import TuneJob
from ripieno.study.members import assemble, load_models, predict_test
from ripieno.study.results import EnsembleResult

__all__ = ["Chosen", "Evaluation", "choose", "describe", "evaluate", "read_predictions"]

Calibrator = Temperature | Vector | Isotonic
_FEWEST_NESTED, _MOST_NESTED = 50, 2_000
"""Rows that nested estimates need at least, and look at at most: they select five times."""

_LIBRARY = 200
"""Trials that enter the selection at most: the best by the metric of selection. With more, the
weaker ones only give the selection more chances to fit the noise of the validation part."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An ensemble as it was selected: whose votes, by which rule.

    Args:
        job: What the trials train.
        artifacts: Where their states lie.
        reference: The recipe's name in the study's settings.
        members: The ensemble's trials, heaviest first.
        combination: How they are combined; it knows them by their numbers.
        validation: Metrics on the part it was selected on.
        library: What all trials say of the rows that it was selected on.
        combiner: What selected it.
        calibrator: What its answers go through, if it was asked to be calibrated.
        selected_by: The metric that greedy selection improved; None for other combiners.
    """

    job: TuneJob
    artifacts: ArtifactStore
    reference: str
    members: tuple[Trial, ...]
    combination: Combination
    validation: dict[str, float]
    library: Predictions
    combiner: Combiner
    calibrator: Calibrator | None = None
    selected_by: SelectionMetric | None = None

    @property
    def weights(self) -> tuple[float, ...]:
        """How much each member counts, of sum 1."""
        return self.combination.rule.shares

    def build(self) -> Ensemble:
        """Return the ensemble as one module, its members' weights loaded."""
        return assemble(
            self.job,
            self.members,
            self.combination.rule,
            artifacts=self.artifacts,
            reference=self.reference,
            calibrator=self.calibrator,
        )

    def answers(self, votes: Predictions) -> NDArray[np.float64]:
        """Return what the ensemble says, given what its members say."""
        found = self.combination.answer(votes)
        return found if self.calibrator is None else calibrated(self.calibrator, found)

    def estimated_gain(self) -> Gain | None:
        """Return what it gains on its own rows, in nested folds; None where they are too few."""
        library = _some_rows(self.library)
        if library.rows < _FEWEST_NESTED:
            return None
        return nested_gain(self.combiner, library)

    def calibration(self, method: CalibrationName = "temperature") -> Calibrator | None:
        """Return a calibrator fitted on answers to rows that each combination had not seen."""
        library = _some_rows(self.library)
        if library.task == "regression" or library.rows < _FEWEST_NESTED:
            return None
        answers = nested_answers(self.combiner, library)
        return calibrate(answers, library.targets, method=method, task=library.task)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an ensemble, its members and the best trial give on the test part.

    Args:
        chosen: The ensemble.
        result: Its numbers.
        best_test: The best trial's metrics on the test part; empty without one.
        best_predictions: Of the best trial on the test part, ``(rows, outputs)``, or None.
        predictions: Of the ensemble on the test part, ``(rows, outputs)``, or None.
        calibrated: The same after a temperature, where it was not calibrated anyway.
        votes: Of each member on the test part, ``(members, rows, outputs)``, or None.
        member_test: Each member's metrics on the test part; empty without one.
    """

    chosen: Chosen
    result: EnsembleResult
    best_test: dict[str, float]
    best_predictions: NDArray[np.floating[Any]] | None = None
    predictions: NDArray[np.float64] | None = None
    calibrated: NDArray[np.float64] | None = None
    votes: NDArray[np.floating[Any]] | None = None
    member_test: tuple[dict[str, float], ...] = ()


def choose(
    job: TuneJob,
    library: Sequence[Trial],
    artifacts: ArtifactStore,
    *,
    reference: str,
    wanted: str,
    combiner: Combiner | None = None,
    calibration: CalibrationName | None = None,
) -> Chosen:
    """Select an ensemble on the validation part; the test part is not touched.

    Args:
        job: What the trials train.
        library: Trials with stored states and predictions.
        artifacts: Where those lie.
        reference: The recipe's name in the study's settings.
        wanted: The metric that the study is after.
        combiner: How they are combined; greedy selection where absent.
        calibration: How its probabilities are calibrated, if at all.

    Raises:
        ArtifactError: Stored predictions are missing or damaged.
    """
    metric = selection_metric(wanted, job.data.task)
    library = _best(library, metric, job.data.task)[:_LIBRARY]
    predictions = _read_predictions(job, library, artifacts)
    combiner = combiner or GreedySelection()
    greedy = isinstance(combiner, GreedySelection)
    if isinstance(combiner, GreedySelection) and combiner.metric is None:
        combiner = replace(combiner, metric=metric)
    found = fit_combiner(combiner, predictions).sorted()
    chosen = Chosen(
        job=job,
        artifacts=artifacts,
        reference=reference,
        members=tuple(library[row] for row in found.members),
        combination=found,
        validation=_measure(job, found.answer(predictions), job.data.targets),
        library=predictions,
        combiner=combiner,
        selected_by=metric if greedy else None,
    )
    if calibration is None:
        return chosen
    return replace(chosen, calibrator=chosen.calibration(calibration))


def describe(chosen: Chosen) -> EnsembleResult:
    """Return what is known of an ensemble without a look at the test part."""
    return EnsembleResult(
        members=[trial.id for trial in chosen.members],
        weights=[round(weight, 6) for weight in chosen.weights],
        validation=chosen.validation,
        nested_gain=_told(chosen.estimated_gain()),
        selected_by=chosen.selected_by,
    )


def evaluate(chosen: Chosen, best: Trial) -> Evaluation:
    """Measure an ensemble and the best trial on the test part, if there is one."""
    result = describe(chosen)
    job = chosen.job
    test = job.data.test
    if test is None:
        return Evaluation(chosen, result, best_test={})
    parts = {
        trial.id: predict_test(job, load_models(job, trial, chosen.artifacts))
        for trial in {trial.id: trial for trial in (best, *chosen.members)}.values()
    }
    names = chosen.combination.ids
    stack = np.stack([parts[trial.id] for trial in chosen.members])
    votes = Predictions(stack, test.y, names, f"{job.data.fingerprint}, test", job.data.task)
    pooled = chosen.answers(votes)
    softened = chosen.calibration() if chosen.calibrator is None else None
    gain = gain_interval(parts[best.id], pooled, test.y, task=job.data.task)
    measured = replace(
        result,
        test=_measure(job, pooled, test.y),
        gain=_told(gain),
    )
    return Evaluation(
        chosen,
        measured,
        best_test=_measure(job, parts[best.id], test.y),
        best_predictions=parts[best.id],
        predictions=pooled,
        calibrated=None if softened is None else calibrated(softened, pooled),
        votes=stack,
        member_test=tuple(_measure(job, parts[trial.id], test.y) for trial in chosen.members),
    )


def _best(library: Sequence[Trial], metric: SelectionMetric, task: TaskName) -> list[Trial]:
    """Return the trials, the best one by the metric first; the task's own decides on ties."""
    first = TASKS[task].primary

    def rank(trial: Trial) -> tuple[float, float, int]:
        value = trial.metrics.get(metric, trial.metrics[first])
        return (-value if metric.endswith("accuracy") else value, trial.metrics[first], trial.id)

    return sorted(library, key=rank)


def _told(gain: Gain | None) -> dict[str, float]:
    return {} if gain is None else {gain.metric: gain.value, "low": gain.low, "high": gain.high}


def _some_rows(library: Predictions) -> Predictions:
    """Return predictions on some of the rows, evenly spread: enough for an estimate."""
    if library.rows <= _MOST_NESTED:
        return library
    return library.subset(rows=np.linspace(0, library.rows - 1, _MOST_NESTED).astype(np.intp))


def _measure(
    job: TuneJob, predictions: NDArray[np.floating[Any]], y: NDArray[Any]
) -> dict[str, float]:
    return measure(predictions, y, metrics=job.recipe.metrics, task=job.data.task)


def _read_predictions(
    job: TuneJob, library: Sequence[Trial], artifacts: ArtifactStore
) -> Predictions:
    """Read the stored validation predictions of every trial of the library."""
    parts = []
    for trial in library:
        assert trial.predictions is not None  # noqa: S101 - what makes it part of the library
        parts.append(read_predictions(job, trial.id, trial.predictions, artifacts=artifacts))
    return Predictions.stack(parts)


def read_predictions(
    job: TuneJob, trial: int, key: str, *, artifacts: ArtifactStore
) -> Predictions:
    """Read what one trial has said of the validation rows.

    Args:
        job: What the trials train.
        trial: Number of the trial.
        key: Key of its predictions.
        artifacts: Where they lie.

    Raises:
        ArtifactError: They are missing or damaged.
    """
    data = job.data
    arrays, facts = artifacts.read(key)
    stored: NDArray[Any] = arrays[data.coding.stored]
    return Predictions(
        stored[None], data.targets, (str(trial),), str(facts["fingerprint"]), data.task
    )
