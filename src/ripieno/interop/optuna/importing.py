"""A study of Optuna as a space and trials: what a search can begin from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from ripieno.errors import SpaceError, StudyError
from ripieno.interop.optuna.distributions import as_domain
from ripieno.records import Config, Metrics, Objective, Trial, TrialStatus
from ripieno.space import Space, Value

__all__ = ["Imported", "import_study"]

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True, slots=True)
class Imported:
    """What a study of Optuna holds, in Ripieno's words.

    Args:
        space: What was searched.
        objective: What it was after; of several objectives the first.
        trials: Those that ended, numbered anew from 0. A row of metrics stands for each
            intermediate value, whatever its step; the last one holds the values at the end.
        left_out: How many ended trials are no configs of the space.
    """

    space: Space
    objective: Objective
    trials: tuple[Trial, ...]
    left_out: int = 0


def import_study(study: optuna.Study, *, space: Space | None = None) -> Imported:
    """Read the space and the ended trials of a study of Optuna.

    The space is made of the distributions that the trials were drawn from. A parameter that
    only some trials have is conditional: it hangs on a choice whose values tell the trials
    with it from those without.

    Args:
        study: What to read; left unchanged.
        space: The space to read the trials into, in place of the one that they tell. Trials
            that are no configs of it are left out; parameters that it does not name are not
            read.

    Raises:
        StudyError: No trial has ended.
        SpaceError: The space cannot be told from the trials.
    """
    found = [trial for trial in study.get_trials(deepcopy=False) if trial.state in _ENDED]
    drawn = [trial for trial in found if trial.params]
    if not drawn:
        raise StudyError(
            "the study of Optuna holds no trial that has ended with parameters.",
            where=f"study {study.study_name!r}, {len(found)} trials ended",
            fix="run it first, or begin without it.",
        )
    names = study.metric_names or _names(len(study.directions))
    space = space or _told(drawn)
    trials: list[Trial] = []
    for each in drawn:
        config = _config(space, each.params)
        if config is not None:
            trials.append(_trial(len(trials), config, each, names=names))
    direction = study.directions[0].name.lower()
    return Imported(
        space,
        Objective(names[0], "maximize" if direction == "maximize" else "minimize"),
        tuple(trials),
        left_out=len(drawn) - len(trials),
    )


def _names(count: int) -> list[str]:
    return ["value"] if count == 1 else [f"value_{number}" for number in range(count)]


def _config(space: Space, params: Mapping[str, Any]) -> Config | None:
    try:
        return space.config({name: params[name] for name in space if name in params})
    except SpaceError:
        return None


def _trial(number: int, config: Config, read: FrozenTrial, *, names: Sequence[str]) -> Trial:
    if read.state is TrialState.FAIL:
        return Trial(number, config, TrialStatus.FAILED, error="failed in Optuna")
    # Intermediate values belong to the first objective: Optuna prunes with one only.
    steps = sorted(read.intermediate_values)
    rows: list[Metrics] = [{names[0]: read.intermediate_values[step]} for step in steps]
    if read.state is TrialState.COMPLETE and read.values is not None:
        end = dict(zip(names, read.values, strict=True))
        # The end is usually the last of the intermediate values, and not one more epoch.
        rows[:] = rows[:-1] if rows and rows[-1][names[0]] == end[names[0]] else rows
        rows.append(end)
    duration = read.duration
    return Trial(
        number,
        config,
        TrialStatus.PAUSED,
        tuple(rows),
        seconds=duration.total_seconds() if duration else 0.0,
    )


def _told(trials: Sequence[FrozenTrial]) -> Space:
    """Return the space that the trials' distributions span."""
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    domains = {
        name: as_domain(name, [t.distributions[name] for t in trials if name in t.params])
        for name in names
    }
    for name, domain in domains.items():
        if not all(name in trial.params for trial in trials):
            parent, values = _condition(name, names, trials)
            domains[name] = domain.when(**{parent: values})
    return Space(**domains)


def _condition(
    name: str, names: Mapping[str, None], trials: Sequence[FrozenTrial]
) -> tuple[str, tuple[Value, ...]]:
    """Return a choice, and its values with which all trials have a parameter."""
    for parent in names:
        kinds = {type(t.distributions[parent]) for t in trials if parent in t.params}
        if parent == name or kinds != {CategoricalDistribution}:
            continue
        inside = [t.params.get(parent, ...) for t in trials if name in t.params]
        outside = [t.params.get(parent, ...) for t in trials if name not in t.params]
        if ... not in inside and not any(value in outside for value in inside):
            return parent, tuple(dict.fromkeys(inside))
    raise SpaceError(
        f"{name!r} was drawn in some trials only, and no choice tells in which.",
        where=f"parameters: {', '.join(names)}",
        fix="pass the space: import_study(study, space=rp.Space(…)).",
    )
