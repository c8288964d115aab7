"""From a search's trials to an ensemble and its numbers.

The ensemble is selected on the validation predictions that the trials left behind. The test
part is read by :func:`evaluate` and nowhere else, once the search is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ripieno.ensembles import Ensemble, Predictions, gain_interval, greedy_selection
from ripieno.recipes import measure
from ripieno.records import ArtifactStore, Trial
from ripieno.study.jobs import TuneJob
from ripieno.study.members import assemble, load_models, predict_test
from ripieno.study.results import EnsembleResult

__all__ = ["Chosen", "Evaluation", "choose", "evaluate"]

_LIBRARY = 200
"""Trials that enter the selection at most: the best by validation log loss. With more, the
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
    """

    job: TuneJob
    artifacts: ArtifactStore
    reference: str
    members: tuple[Trial, ...]
    weights: tuple[float, ...]
    validation: dict[str, float]

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
        best_probabilities: Of the best trial on the test part, ``(rows, classes)``, or None.
        probabilities: Of the ensemble on the test part, ``(rows, classes)``, or None.
        member_test: Each member's metrics on the test part; empty without one.
    """

    chosen: Chosen
    result: EnsembleResult
    best_test: dict[str, float]
    best_probabilities: NDArray[np.float32] | None = None
    probabilities: NDArray[np.float64] | None = None
    member_test: tuple[dict[str, float], ...] = ()


def choose(
    job: TuneJob,
    library: Sequence[Trial],
    artifacts: ArtifactStore,
    *,
    reference: str,
    rounds: int = 50,
    bags: int = 10,
) -> Chosen:
    """Select an ensemble on the validation part; the test part is not touched.

    Args:
        job: What the trials train.
        library: Trials with stored states and predictions.
        artifacts: Where those lie.
        reference: The recipe's name in the study's settings.
        rounds: Models added after the start of the greedy selection.
        bags: Random halves of the library to select from.

    Raises:
        ArtifactError: Stored predictions are missing or damaged.
    """
    library = sorted(library, key=lambda trial: (trial.metrics["log_loss"], trial.id))[:_LIBRARY]
    predictions = _read_predictions(job, library, artifacts)
    weights = greedy_selection(predictions, rounds=rounds, bags=bags)
    order = sorted(np.flatnonzero(weights), key=lambda row: -weights[row])
    return Chosen(
        job=job,
        artifacts=artifacts,
        reference=reference,
        members=tuple(library[row] for row in order),
        weights=tuple(float(weights[row]) for row in order),
        validation=measure(predictions.mean(weights), predictions.targets),
    )


def evaluate(chosen: Chosen, best: Trial) -> Evaluation:
    """Measure an ensemble and the best trial on the test part, if there is one."""
    result = EnsembleResult(
        members=[trial.id for trial in chosen.members],
        weights=[round(weight, 6) for weight in chosen.weights],
        validation=chosen.validation,
    )
    test = chosen.job.data.test
    if test is None:
        return Evaluation(chosen, result, best_test={})
    parts = {
        trial.id: predict_test(chosen.job, load_models(chosen.job, trial, chosen.artifacts))
        for trial in {trial.id: trial for trial in (best, *chosen.members)}.values()
    }
    votes = np.stack([parts[trial.id] for trial in chosen.members])
    pooled = np.tensordot(np.array(chosen.weights), votes, axes=1)
    gain = gain_interval(parts[best.id], pooled, test.y, metric="log_loss")
    measured = replace(
        result,
        test=measure(pooled, test.y),
        gain={"log_loss": gain.value, "low": gain.low, "high": gain.high},
    )
    return Evaluation(
        chosen,
        measured,
        best_test=measure(parts[best.id], test.y),
        best_probabilities=parts[best.id],
        probabilities=pooled,
        member_test=tuple(measure(parts[trial.id], test.y) for trial in chosen.members),
    )


def _read_predictions(
    job: TuneJob, library: Sequence[Trial], artifacts: ArtifactStore
) -> Predictions:
    """Read the stored validation predictions of every trial of the library."""
    parts = []
    for trial in library:
        assert trial.predictions is not None  # noqa: S101 - what makes it part of the library
        arrays, facts = artifacts.read(trial.predictions)
        parts.append(
            Predictions(
                np.asarray(arrays["probabilities"], dtype=np.float32)[None],
                job.data.targets,
                (str(trial.id),),
                str(facts["fingerprint"]),
            )
        )
    return Predictions.stack(parts)
