"""Changes to a study that has begun, as its record holds them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ripieno.errors import StudyError
from ripieno.ledger import SqlLedger
from ripieno.recipes import restricted
from ripieno.records import Change, Config, Goal, Trial, TrialStatus, ranked
from ripieno.space import Space, Value
from ripieno.study.folder import Folder
from ripieno.study.jobs import Job, TuneJob

__all__ = [
    "ConfigInput",
    "WarmStart",
    "enqueued",
    "latest_space",
    "more_trials",
    "moved",
    "read_trials",
    "warm",
]

ConfigInput = Config | Mapping[str, Value]
"""A config of the space, or its values by name; what is left out takes its default."""


class HasTrials(Protocol):
    """A study, as far as another one learns from it."""

    @property
    def trials(self) -> Sequence[Trial]:
        """Every trial, as far as it got."""


WarmStart = HasTrials | str | Path | Iterable[Trial]
"""Another study, its folder, or trials of one."""


def latest_space(space: Space, changes: Iterable[Change]) -> Space:
    """Return the space that a study searches now.

    Args:
        space: What it searched at its beginning.
        changes: What was changed since.
    """
    texts = [change.space for change in changes if change.space is not None]
    return Space.from_json(texts[-1]) if texts else space


def enqueued(configs: Iterable[ConfigInput], space: Space) -> Change:
    """Return the change that lets configs be tried next.

    Raises:
        SpaceError: A config is none of the space.
    """
    return Change(enqueued=tuple(_completed(config, space) for config in configs))


def _completed(config: ConfigInput, space: Space) -> Config:
    """Return a config with the default of everything that is left out and active."""
    given = dict(config)
    # What the defaults would be given these values; a value out of its domain is said below.
    while (missing := _missing(given, space)) is not None:
        given[missing] = space[missing].center
    return space.config(given)


def _missing(given: Mapping[str, Value], space: Space) -> str | None:
    """Return an active hyperparameter without a value, if there is one."""
    return next((name for name in space.active(given) if name not in given), None)


def read_trials(source: WarmStart) -> list[Trial]:
    """Return the trials of another study, of its folder, or as they are given.

    Raises:
        StudyError: The folder holds no study.
        LedgerError: Its record cannot be read.
    """
    if isinstance(source, str | Path):
        folder = Folder(Path(source))
        folder.check()
        ledger = SqlLedger.open(folder.url)
        try:
            return ledger.trials()
        finally:
            ledger.close()
    return list(source if isinstance(source, Iterable) else source.trials)


def warm(
    trials: Sequence[Trial], space: Space, *, goal: Goal, best: int, known: Iterable[Change]
) -> Change:
    """Return the change that lets a study learn from trials of elsewhere.

    Trials that the space does not hold (see :meth:`ripieno.space.Space.adopt`), that are not
    finished, or whose last row lacks a metric of the goal are left out.

    Args:
        trials: All trials of the other study.
        space: What this study searches now.
        goal: What it is after.
        best: So many of the best among them are tried here too, before anything else.
        known: Changes before this one, whose observations have numbers already.

    Raises:
        StudyError: Not one of the trials can be learned from.
    """
    dead = {TrialStatus.DIVERGED, TrialStatus.FAILED}
    measured = [t for t in trials if t.status in dead or set(goal.metrics) <= t.metrics.keys()]
    adopted = [(t, config) for t in measured if (config := space.adopt(t.config)) is not None]
    if not adopted:
        raise StudyError(
            f"none of {len(trials)} trials can be learned from.",
            where=f"metrics {', '.join(goal.metrics)}; space of {', '.join(space)}",
            fix="take a study with these metrics, and give hyperparameters that it does not have "
            "a default= in this space.",
        )
    first = -1 - sum(len(change.observed) for change in known)
    numbered = {t.id: replace(t, id=first - n, config=c) for n, (t, c) in enumerate(adopted)}
    order = ranked(goal.merits(trial for trial, _ in adopted))[:best]
    return Change(
        observed=tuple(map(_brief, numbered.values())),
        enqueued=tuple(dict.fromkeys(numbered[trial].config for trial in order)),
    )


def _brief(trial: Trial) -> Trial:
    """Return what a record keeps of a trial of elsewhere: its end."""
    return Trial(
        trial.id,
        trial.config,
        trial.status if trial.status is not TrialStatus.RUNNING else TrialStatus.PAUSED,
        history=trial.history[-1:],
        first_epoch=trial.epochs - len(trial.history[-1:]),
    )


def moved(space: Space, old: Space, *, job: Job | None) -> tuple[Change, Space]:
    """Return the change to another space, and that space without what cannot be built.

    Args:
        space: What is to be searched from now on.
        old: What is searched now.
        job: What is trained.

    Raises:
        RecipeError: The recipe does not know a hyperparameter of the space.
        StudyError: The space is empty, or a constraint of either is a function.
    """
    for constraint in (*space.constraints, *old.constraints):
        if constraint.expression is None:
            raise StudyError(
                f"the constraint {constraint.description!r} is a function, which is not recorded.",
                where="Study.change_space",
                fix='write it as an expression: space.where("filters * depth <= 512").',
            )
    if not space:
        raise StudyError(
            "the space is empty.", where="Study.change_space", fix="add a hyperparameter."
        )
    if isinstance(job, TuneJob):
        replace(job.recipe, space=space)  # which checks the knobs
        space = restricted(space, job.recipe.model, shape=job.data.shape)
    return Change(space=space.to_json()), space


def more_trials(trials: int, present: int | None) -> Change | None:
    """Return the change to so many trials in all; None where that is the present number.

    Args:
        trials: Trials at most from now on.
        present: Trials at most so far; None where there was no limit.

    Raises:
        StudyError: The number would be lower, or there was no limit.
    """
    if present is not None and trials == present:
        return None
    if present is None or trials < present:
        limit = "no limit" if present is None else f"a limit of {present}"
        raise StudyError(
            f"trials = {trials} cannot be: the study has {limit}, which can only be raised.",
            where="Study.run(trials=…) / resume --trials",
            fix="give a larger number, or minutes for this session.",
        )
    return Change(trials=trials)
