"""The trials that came of tuning others by gradient, and what each gained."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ripieno.records.change import Change
from ripieno.records.objective import Objective
from ripieno.records.trial import Trial
from ripieno.space import Config

__all__ = ["Refined", "refined_trials"]


@dataclass(frozen=True, slots=True)
class Refined:
    """A trial beside the one that it was refined from.

    Args:
        trial: Its number.
        origin: The number of the trial that its config was refined from.
        metric: What they are compared by, the first metric of the search.
        before: The origin's value of it; None where it has none.
        after: The trial's.
        gain: By how much it is better; below zero where it is worse.
        changed: The hyperparameters that differ, by name: as they were, and as they became.
    """

    trial: int
    origin: int
    metric: str
    before: float | None
    after: float | None
    gain: float | None
    changed: dict[str, list[Any]]


def refined_trials(
    trials: Sequence[Trial], changes: Iterable[Change], objective: Objective
) -> tuple[Refined, ...]:
    """Return all trials of a study that others were refined into.

    Args:
        trials: Its trials.
        changes: What was changed in it, in sequence.
        objective: What the search is after; of several metrics the first one.
    """
    origins: dict[Config, list[int]] = {}
    for change in changes:
        for config, origin in zip(change.enqueued, change.origins, strict=False):
            origins.setdefault(config, []).append(origin)
    by_number = {trial.id: trial for trial in trials} if origins else {}
    found = []
    for trial in by_number.values():
        before = [origin for origin in origins.get(trial.config, ()) if origin < trial.id]
        if before:
            found.append(_compared(trial, by_number[before[0]], objective))
    return tuple(found)


def _compared(trial: Trial, origin: Trial, objective: Objective) -> Refined:
    values = [each.value(objective) for each in (origin, trial)]
    before, after = (None if math.isnan(value) else value for value in values)
    gain = None
    if before is not None and after is not None:
        gain = objective.badness(before) - objective.badness(after)
    names = dict.fromkeys([*origin.config, *trial.config])
    pairs = {name: [origin.config.get(name), trial.config.get(name)] for name in names}
    return Refined(
        trial=trial.id,
        origin=origin.id,
        metric=objective.metric,
        before=before,
        after=after,
        gain=gain,
        changed={name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
    )
