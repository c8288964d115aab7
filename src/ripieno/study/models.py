"""A study's trained models, put together as one wants; and trained once more on all rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Self

from ripieno.ensembles import Ensemble, SoftRule
from ripieno.errors import StudyError
from ripieno.executors import Executor, InlineExecutor, ProcessExecutor, free_workers
from ripieno.recipes import Data, gpus_for
from ripieno.records import (
    ArtifactStore,
    Config,
    Order,
    OutcomeStatus,
    Trial,
    TrialStatus,
    config_by_epoch,
)
from ripieno.study.jobs import TuneJob
from ripieno.study.members import assemble
from ripieno.study.study import Study

__all__ = ["Models", "refit"]


@dataclass(frozen=True, slots=True)
class Models:
    """Trained models of trials, by the numbers of the trials.

    Args:
        job: What they were trained on.
        trials: The trials, with the keys of their states.
        artifacts: Where the states lie.
        reference: The recipe's name in the study's settings.
    """

    job: TuneJob
    trials: Mapping[int, Trial]
    artifacts: ArtifactStore
    reference: str

    @classmethod
    def of(cls, study: Study) -> Self:
        """Return the models that a study's search has trained.

        Raises:
            StudyError: The study has no model and data at hand.
        """
        trials = {trial.id: trial for trial in study.trials if trial.state}
        return cls(_job(study), trials, study.artifacts, study.settings.recipe or "custom")

    def ensemble(self, weights: Mapping[int, float]) -> Ensemble:
        """Return some of the models as one: ``weights`` holds a share for each trial."""
        return assemble(
            self.job,
            [self.trials[number] for number in weights],
            SoftRule(list(weights.values()), task=self.job.data.task),
            artifacts=self.artifacts,
            reference=self.reference,
        )


def refit(study: Study, data: Data, trials: Iterable[int], *, workers: int | None = 1) -> Models:
    """Train the models of some trials once more, on other data than the search had.

    Each model gets the config, the seed and the number of epochs of its trial; a trial that
    keeps its best epoch is trained up to that one. Hyperparameters that changed on the way
    (population-based training) change at the same epochs. Nothing is chosen: the validation
    part of the data has no say, which may therefore be its training part.

    Args:
        study: What was searched.
        data: What to train on, with the features and classes of the study's own data.
        trials: Numbers of the trials.
        workers: Processes; 1 trains in this one, None takes every usable core.

    Raises:
        StudyError: The study has no model and data at hand, or a model cannot be trained on
            these data.
    """
    job = replace(_job(study), data=data)
    left = {number: _stages(study, number) for number in trials}
    done: dict[int, Trial] = {}
    executor = _executor(study, job, workers=workers)
    try:
        while left:
            orders = [_order(number, stages, done) for number, stages in left.items()]
            for trial in _carry_out(executor, orders):
                done[trial.id] = trial
            left = {number: stages[1:] for number, stages in left.items() if stages[1:]}
    finally:
        executor.close()
    return Models(job, done, study.artifacts, study.settings.recipe or "custom")


_Stages = list[tuple[Config, int]]
"""Configs in the sequence in which they are in force, each with the epoch at which it ends."""


def _job(study: Study) -> TuneJob:
    if isinstance(study.job, TuneJob):
        return study.job
    raise StudyError(
        "the study was opened without its model and data, or has none.",
        where=repr(study),
        fix="pass them: rp.open(path, model=…, data=…).",
    )


def _executor(study: Study, job: TuneJob, *, workers: int | None) -> Executor:
    settings = study.settings
    runner = job.runner(settings)
    if workers == 1:
        return InlineExecutor(runner, study.artifacts)
    return ProcessExecutor(
        runner,
        study.artifacts,
        workers=workers or free_workers(settings.devices, gpus=gpus_for(settings.device)),
        device=settings.device,
    )


def _stages(study: Study, number: int) -> _Stages:
    """Return what a trial's state was trained with."""
    trial = study.trials[number]
    epochs = int(trial.metrics.get("best_epoch", trial.epochs))
    schedule = config_by_epoch(study.trials, number)[:epochs]
    stages: _Stages = []
    for config, run in groupby(schedule):
        stop = (stages[-1][1] if stages else 0) + len(list(run))
        # The best epoch is known already, and there is nothing to watch.
        kept = {n: v for n, v in config.items() if n not in {"early_stopping", "restore"}}
        stages.append((Config(kept), stop))
    return stages


def _order(number: int, stages: _Stages, done: Mapping[int, Trial]) -> Order:
    config, stop = stages[0]
    before = done.get(number)
    if before is None:
        return Order(number, config, 0, stop)
    return Order(number, config, before.epochs, stop, state=before.state)


def _carry_out(executor: Executor, orders: list[Order]) -> Iterable[Trial]:
    """Yield a trial for each order, trained as far as the order says."""
    waiting, out = list(orders), 0
    while waiting or out:
        now = max(0, executor.slots)
        executor.submit(waiting[:now])
        out += len(waiting[:now])
        waiting = waiting[now:]
        for outcome in executor.collect():
            out -= 1
            if outcome.status is not OutcomeStatus.DONE:
                raise StudyError(
                    f"trial {outcome.order.trial} {outcome.status.value} when it was trained "
                    f"once more: {outcome.error}.",
                    where=repr(outcome.order.config),
                    fix="search again with data that are more alike, or do without the refit.",
                )
            yield Trial(
                outcome.order.trial,
                outcome.order.config,
                TrialStatus.PAUSED,
                outcome.metrics,
                first_epoch=outcome.order.start,
                state=outcome.state,
            )
