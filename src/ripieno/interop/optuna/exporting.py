"""A study as one of Optuna, for ``optuna.visualization`` and optuna-dashboard."""

import math
from datetime import datetime, timedelta
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from ripieno.errors import StudyError
from ripieno.interop.optuna.distributions import distributions_of, searched_values
from ripieno.interop.optuna.quiet import quiet
from ripieno.records import Trial, TrialStatus, history_by_epoch
from ripieno.study import Study

__all__ = ["export_study"]


def export_study(
    study: Study, *, storage: str | BaseStorage | None = None, name: str | None = None
) -> optuna.Study:
    """Return a copy of a study that Optuna can show, or write it into one of its storages.

    A trial of Optuna has the config as parameters, with their distributions, the objective
    after every epoch as intermediate values, and as user attributes ``epochs``, ``seconds``,
    ``metrics``, and where there are any ``parent``, ``constants`` and ``error``. A trial that
    was trained to the end is complete, one that the scheduler left behind pruned, one that
    diverged or failed a failure. Conditions and constraints of the space have no place in
    Optuna and are left out.

    Args:
        study: What to copy; left unchanged.
        storage: Where to, as Optuna names it (``"sqlite:///optuna.db"``); memory if None.
        name: What it is called there; the name of the study's folder if None.

    Raises:
        StudyError: The storage holds a study of this name.
    """
    name = name or (study.folder.path.name if study.folder else "ripieno")
    with quiet():
        try:
            exported = optuna.create_study(
                storage=storage, study_name=name, direction=study.settings.direction
            )
        except optuna.exceptions.DuplicatedStudyError as error:
            raise StudyError(
                f"the storage holds a study {name!r} already.",
                where=f"export_study(study, storage={storage!r})",
                fix="give another name=…, or delete that one: optuna.delete_study(…).",
            ) from error
        exported.set_metric_names([study.settings.metric])
        for key in ("searcher", "scheduler", "seed", "epochs"):
            exported.set_user_attr(key, getattr(study.settings, key))
        begun = _begun(study)
        exported.add_trials([_exported(study, trial, begun) for trial in study.trials])
    return exported


def _begun(study: Study) -> datetime:
    """Return when the study began, if it had run without a break up to now."""
    clocks = [trial.finished_at for trial in study.trials if math.isfinite(trial.finished_at)]
    return datetime.now() - timedelta(seconds=max(clocks, default=0.0))  # noqa: DTZ005 - as Optuna


def _exported(study: Study, trial: Trial, begun: datetime) -> optuna.trial.FrozenTrial:
    state = _state(study, trial)
    value = trial.value(study.settings.objective)
    made = optuna.trial.create_trial(
        state=state,
        value=None if math.isnan(value) or state is TrialState.RUNNING else value,
        params=searched_values(study.space, trial.config),
        distributions=distributions_of(study.space, trial.config),
        intermediate_values=_curve(study, trial),
        user_attrs=_attributes(study, trial),
    )
    if math.isfinite(trial.finished_at):
        end = begun + timedelta(seconds=trial.finished_at)
        # Of a trial that paused in between, the time that it was trained for.
        made.datetime_start = end - timedelta(seconds=trial.seconds)
        made.datetime_complete = None if state is TrialState.RUNNING else end
    return made


def _state(study: Study, trial: Trial) -> TrialState:
    if trial.status in {TrialStatus.FAILED, TrialStatus.DIVERGED}:
        return TrialState.FAIL
    if trial.status is TrialStatus.RUNNING:
        return TrialState.RUNNING
    # Under the full budget only early stopping ends a trial before its last epoch.
    settings = study.settings
    whole = trial.epochs >= settings.epochs or settings.scheduler == "full"
    return TrialState.COMPLETE if whole else TrialState.PRUNED


def _curve(study: Study, trial: Trial) -> dict[int, float]:
    """Return the objective by epoch, those of a fork's ancestors included."""
    metric = study.settings.metric
    rows = history_by_epoch(study.trials, trial.id)
    return {epoch: row[metric] for epoch, row in enumerate(rows, start=1) if metric in row}


def _attributes(study: Study, trial: Trial) -> dict[str, Any]:
    searched = set(study.space.searched)
    constants = {name: value for name, value in trial.config.items() if name not in searched}
    optional = {"parent": trial.parent, "constants": constants or None, "error": trial.error}
    return {
        "epochs": trial.epochs,
        "seconds": trial.seconds,
        "metrics": dict(trial.metrics),
        **{key: value for key, value in optional.items() if value is not None},
    }
