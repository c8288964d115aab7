"""From a search's trials to an ensemble and its numbers.

The ensemble is selected on the validation predictions that the trials left behind. The test
part is read here and nowhere else, once the search is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ripieno.ensembles import Ensemble, Gain, Predictions, gain_interval, greedy_selection
from ripieno.recipes import State, build_model, measure, predict_probabilities
from ripieno.records import ArtifactStore, Trial
from ripieno.study.jobs import TuneJob
from ripieno.study.results import EnsembleResult

__all__ = ["Evaluation", "evaluate"]

_LIBRARY = 200
"""Trials that enter the selection at most: the best by validation log loss. With more, the
weaker ones only give the selection more chances to fit the noise of the validation part."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The ensemble of a search, and what it and the best trial give on the test part.

    Args:
        job: What the trials train.
        members: The ensemble's trials, heaviest first.
        weights: One weight a member.
        result: The ensemble's numbers.
        best_test: The best trial's metrics on the test part; empty without one.
        best_probabilities: Of the best trial on the test part, ``(rows, classes)``, or None.
        probabilities: Of the ensemble on the test part, ``(rows, classes)``, or None.
        member_validation: Each member's metrics on the validation part.
        member_test: Each member's metrics on the test part; empty without one.
    """

    job: TuneJob
    artifacts: ArtifactStore
    reference: str
    members: tuple[Trial, ...]
    weights: tuple[float, ...]
    result: EnsembleResult
    best_test: dict[str, float]
    best_probabilities: NDArray[np.float32] | None
    probabilities: NDArray[np.float64] | None
    member_validation: tuple[dict[str, float], ...]
    member_test: tuple[dict[str, float], ...]

    def build(self) -> Ensemble:
        """Return the ensemble as one module, its members' weights loaded."""
        data = self.job.data
        return Ensemble(
            [load_member(self.job, trial, self.artifacts) for trial in self.members],
            self.weights,
            classes=data.classes,
            preprocess=data.preprocess,
            facts={
                "input_shape": list(data.shape),
                "members": [
                    {"id": str(t.id), "recipe": self.reference, "config": dict(t.config)}
                    for t in self.members
                ],
            },
        )


def load_member(job: TuneJob, trial: Trial, artifacts: ArtifactStore) -> nn.Module:
    """Return a trial's model with its trained weights.

    Raises:
        ArtifactError: The stored state is missing or damaged.
    """
    assert trial.state is not None  # noqa: S101 - a library holds only trials with a state
    module = build_model(job.recipe, trial.config, seed=0)
    arrays, _ = artifacts.read(trial.state)
    state = State.from_arrays(arrays, epoch=trial.epochs)
    module.load_state_dict(dict(state.model))
    return module.eval()


def evaluate(
    job: TuneJob,
    library: Sequence[Trial],
    artifacts: ArtifactStore,
    *,
    best: Trial,
    reference: str,
    rounds: int = 50,
    bags: int = 10,
) -> Evaluation:
    """Select an ensemble on the validation part and measure it on the test part."""
    library = sorted(library, key=lambda trial: (trial.metrics["log_loss"], trial.id))[:_LIBRARY]
    predictions = _read_predictions(job, library, artifacts)
    weights = greedy_selection(predictions, rounds=rounds, bags=bags)
    chosen = sorted(np.flatnonzero(weights), key=lambda row: -weights[row])
    members = tuple(library[row] for row in chosen)
    validation = measure(predictions.mean(weights), predictions.targets)
    test = job.data.test
    parts: dict[int, NDArray[np.float32]] = {}
    pooled = None
    if test is not None:
        for trial in (best, *members):
            if trial.id not in parts:
                parts[trial.id] = predict_probabilities(load_member(job, trial, artifacts), test.x)
        pooled = np.tensordot(
            weights[chosen], np.stack([parts[trial.id] for trial in members]), axes=1
        )
    return Evaluation(
        job=job,
        artifacts=artifacts,
        reference=reference,
        members=members,
        weights=tuple(float(weights[row]) for row in chosen),
        result=EnsembleResult(
            members=[trial.id for trial in members],
            weights=[round(float(weights[row]), 6) for row in chosen],
            validation=validation,
            test={} if test is None or pooled is None else measure(pooled, test.y),
            gain={} if test is None or pooled is None else _gain(parts[best.id], pooled, test.y),
        ),
        best_test=measure(parts[best.id], test.y) if test is not None else {},
        best_probabilities=parts.get(best.id),
        probabilities=pooled,
        member_validation=tuple(dict(trial.metrics) for trial in members),
        member_test=tuple(measure(parts[t.id], test.y) for t in members) if test else (),
    )


def _read_predictions(
    job: TuneJob, library: Sequence[Trial], artifacts: ArtifactStore
) -> Predictions:
    """Read the stored validation predictions of every trial of the library."""
    targets = job.data.validation.y
    parts = []
    for trial in library:
        assert trial.predictions is not None  # noqa: S101 - what makes it part of the library
        arrays, facts = artifacts.read(trial.predictions)
        parts.append(
            Predictions(
                np.asarray(arrays["probabilities"], dtype=np.float32)[None],
                targets,
                (str(trial.id),),
                str(facts["fingerprint"]),
            )
        )
    return Predictions.stack(parts)


def _gain(
    single: NDArray[np.float32], pooled: NDArray[np.float64], targets: NDArray[np.int64]
) -> dict[str, float]:
    gain: Gain = gain_interval(single, pooled, targets, metric="log_loss")
    return {"log_loss": gain.value, "low": gain.low, "high": gain.high}
