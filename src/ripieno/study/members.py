"""A trial as a member of an ensemble: its trained models, which answer by their mean."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ripieno.ensembles import (
    Ensemble,
    GroupedRule,
    Isotonic,
    Rule,
    SoftRule,
    Temperature,
    Vector,
)
from ripieno.recipes import (
    State,
    arrange,
    as_tensor,
    build_model,
    mean_predictions,
    predict,
    split_state,
)
from ripieno.records import ArtifactStore, Trial
from ripieno.study.jobs import TuneJob

__all__ = ["assemble", "load_models", "predict_test"]


def load_models(job: TuneJob, trial: Trial, artifacts: ArtifactStore) -> tuple[nn.Module, ...]:
    """Return a trial's models with their trained weights: one, or one a fold and seed.

    Raises:
        ArtifactError: The stored state is missing or damaged.
    """
    assert trial.state is not None  # noqa: S101 - what makes it part of the library
    arrays, _ = artifacts.read(trial.state)
    stored = State.from_arrays(arrays, epoch=trial.epochs)
    models, example = [], as_tensor(job.data.train.x[:2])
    for state in split_state(stored, len(job.data.parts) * job.seeds):
        module = build_model(job.recipe, trial.config, seed=0)
        state.load_into(module)
        models.append(arrange(job.recipe, module.eval(), torch.device("cpu"), example=example))
    return tuple(models)


def predict_test(job: TuneJob, models: Sequence[nn.Module]) -> NDArray[np.floating[Any]]:
    """Return a trial's predictions on the test part, the mean of its models'.

    Each model reads the rows as the preprocessing of its own fold gives them.

    Args:
        job: What the trial trained on; it has a test part.
        models: The trial's models, by number.
    """
    answers = []
    for number, module in enumerate(models):
        part = job.data.parts[number % len(job.data.parts)]
        assert part.test is not None  # noqa: S101 - every fold has the test part of the data
        answers.append(predict(module, part.test.x, part.coding))
    return mean_predictions(answers)


def assemble(
    job: TuneJob,
    trials: Sequence[Trial],
    rule: Rule,
    *,
    artifacts: ArtifactStore,
    reference: str,
    calibrator: Temperature | Vector | Isotonic | None = None,
) -> Ensemble:
    """Return trials as one ensemble; a trial of several models answers by their mean.

    Args:
        job: What the trials trained.
        trials: The members.
        rule: How they are combined.
        artifacts: Where their states lie.
        reference: The recipe's name in the study's settings.
        calibrator: What the combined scores go through.
    """
    data = job.data
    models: list[nn.Module] = []
    groups: list[int] = []
    reads: list[int] = []
    facts: list[dict[str, object]] = []
    for member, trial in enumerate(trials):
        own = load_models(job, trial, artifacts)
        models += own
        groups += [member] * len(own)
        reads += [number % len(data.parts) for number in range(len(own))]
        told: dict[str, object] = {
            "id": str(trial.id),
            "recipe": reference,
            "config": dict(trial.config),
        }
        facts += [told if len(own) == 1 else {**told, "replica": n} for n in range(len(own))]
    return Ensemble(
        models,
        classes=data.classes,
        preprocess=[part.preprocess for part in data.parts],
        reads=reads,
        facts={
            "input_shape": list(data.shape),
            "numbers": data.preprocess.numbers,
            "cardinalities": list(data.preprocess.cardinalities),
            "members": facts,
        },
        coding=[part.coding for part in data.parts],
        rule=_of_models(rule, groups),
        calibrator=calibrator,
    )


def _of_models(rule: Rule, groups: Sequence[int]) -> Rule:
    """Return a rule of trials as one of their models."""
    if len(groups) == len(rule.shares):
        return rule
    if isinstance(rule, SoftRule):
        return SoftRule([rule.shares[g] / groups.count(g) for g in groups], task=rule.task)
    return GroupedRule(rule, groups, task=rule.task)
