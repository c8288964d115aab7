"""Rows that are trained together, and how they are divided when they are too many."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from ripieno.population.rows import Row
from ripieno.recipes import State
from ripieno.records import Order, OutcomeStatus

__all__ = ["Part", "shares"]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows, and what each of them goes on from. The rows of a trial are never parted.

    Args:
        rows: The rows, those of one trial beside each other, and as many for every trial.
        stored: A state for each, or None for one that starts anew.
    """

    rows: tuple[Row, ...]
    stored: tuple[State | None, ...]

    @property
    def orders(self) -> list[Order]:
        """The orders that the rows belong to, each once."""
        return list({row.order.trial: row.order for row in self.rows}.values())

    @property
    def ended(self) -> tuple[Row, ...]:
        """The rows of trials that need no more training: all of them done, or diverged."""
        return tuple(row for trial in self._trials() if not trial.goes_on for row in trial.rows)

    @property
    def goes_on(self) -> bool:
        """Whether the rows of one trial need more training, or to be taken back."""
        statuses = {row.status for row in self.rows}
        return OutcomeStatus.STOPPED in statuses or len(statuses) > 1 or not self.judged

    @property
    def judged(self) -> bool:
        """Whether the rows' one trial has judged what they finished, if it does so at all."""
        first = self.rows[0]
        if first.judging is None or first.status is OutcomeStatus.DIVERGED:
            return True
        return len(first.judged) == (
            0 if first.finished is None else first.finished.state.epoch - first.order.start
        )

    def left(self) -> "Part":
        """Return the trials that go on, each from the last epoch that all its rows finished."""
        return _together([_taken_back(trial) for trial in self._trials() if trial.goes_on])

    def divide(self, width: int) -> list["Part"]:
        """Return parts of at most ``width`` rows, but of a whole trial at least."""
        trials = self._trials()
        if not trials:
            return []
        found, begin = [], 0
        for share in shares(len(trials), max(1, width // len(trials[0].rows))):
            found.append(_together(trials[begin : begin + share]))
            begin += share
        return found

    def by_epoch(self) -> list["Part"]:
        """Return parts whose rows are in one epoch, as those must be that share a stream."""
        epochs: dict[int, list[Part]] = {}
        for trial in self._trials():
            epochs.setdefault(trial.rows[0].epoch, []).append(trial)
        return [_together(trials) for _, trials in sorted(epochs.items())]

    def _trials(self) -> list["Part"]:
        pairs = zip(self.rows, self.stored, strict=True)
        return [
            Part(*zip(*own, strict=True))
            for _, own in groupby(pairs, lambda pair: pair[0].order.trial)
        ]


def _taken_back(trial: Part) -> Part:
    """Take the rows of a trial back to the end of an epoch that all of them finished.

    An epoch may have ended in the middle of being noted. Then what some rows noted of it is
    forgotten; where some have given up their last state for it, all begin again.
    """
    start = trial.rows[0].order.start
    ends = {start if r.finished is None else r.finished.state.epoch for r in trial.rows}
    fallen = any(row.status is not OutcomeStatus.STOPPED for row in trial.rows)
    if len(ends) > 1 or fallen or not trial.judged:
        for row in trial.rows:
            row.status, row.error, row.held = OutcomeStatus.STOPPED, None, None
        ends = {start}
        judging = copy.deepcopy(trial.rows[0].unjudged)
        for row in trial.rows:
            row.judging = judging
            row.judged.clear()
    for row in trial.rows:
        del row.metrics[min(ends) - start :]
    states = [row.finished.state if row.finished else None for row in trial.rows]
    return Part(trial.rows, tuple(s or t for s, t in zip(states, trial.stored, strict=True)))


def _together(parts: Sequence[Part]) -> Part:
    return Part(
        tuple(row for part in parts for row in part.rows),
        tuple(state for part in parts for state in part.stored),
    )


def shares(count: int, width: int) -> Sequence[int]:
    """Divide a number of trials into as few stacks as possible, and those as evenly.

    Even stacks have one shape, so that what was traced or compiled for one serves the next.

    Args:
        count: Trials in all.
        width: Trials of one stack at most.
    """
    stacks = -(-count // width)
    return [count // stacks + (number < count % stacks) for number in range(stacks)]
