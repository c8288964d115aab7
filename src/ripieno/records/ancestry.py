"""Where a forked trial comes from: its ancestors, and the config in force at each epoch."""

from collections.abc import Iterable

from ripieno.errors import SearchError
from ripieno.records.outcome import Metrics
from ripieno.records.trial import Trial
from ripieno.space import Config

__all__ = ["ancestry", "config_by_epoch", "history_by_epoch"]


def ancestry(trials: Iterable[Trial], trial: int) -> tuple[Trial, ...]:
    """Return a trial and those that it descends from, the oldest first.

    Args:
        trials: The trials of a study, in any sequence.
        trial: Number of the trial; without a parent it is its only ancestor.

    Raises:
        SearchError: The trial or one of its ancestors is not among the trials, or it is its
            own ancestor.
    """
    known = {each.id: each for each in trials}
    line: list[Trial] = []
    number: int | None = trial
    while number is not None:
        if number not in known:
            raise SearchError(
                f"there is no trial {number} among the {len(known)} that were given.",
                where=f"ancestry(trials, {trial})",
                fix="pass all trials of one study, and the number of one of them.",
            )
        if len(line) == len(known):
            raise SearchError(
                f"trial {trial} descends from itself.",
                where=f"ancestry(trials, {trial})",
                fix="pass the trials of a study whose record is not damaged.",
            )
        line.append(known[number])
        number = known[number].parent
    return tuple(reversed(line))


def config_by_epoch(trials: Iterable[Trial], trial: int) -> tuple[Config, ...]:
    """Return the config in force at each epoch that the trial's state was trained for.

    It is the schedule of hyperparameters that a population-based search has found: replaying
    it, epoch by epoch, trains the same model without a population.

    Args:
        trials: The trials of a study, in any sequence.
        trial: Number of the trial.

    Returns:
        One config an epoch, the first epoch first; those of ancestors up to the fork.

    Raises:
        SearchError: The trial or one of its ancestors is not among the trials.
    """
    schedule: tuple[Config, ...] = ()
    for each in ancestry(trials, trial):
        schedule = schedule[: each.first_epoch] + (each.config,) * len(each.history)
    return schedule


def history_by_epoch(trials: Iterable[Trial], trial: int) -> tuple[Metrics, ...]:
    """Return the rows of metrics along a trial's ancestry, the first epoch first.

    Raises:
        SearchError: The trial or one of its ancestors is not among the trials.
    """
    rows: tuple[Metrics, ...] = ()
    for each in ancestry(trials, trial):
        rows = rows[: each.first_epoch] + each.history
    return rows
