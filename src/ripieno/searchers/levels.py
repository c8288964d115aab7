"""Which results may be compared with each other where trials are trained for unlike times."""

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from ripieno.searchers.memory import Result

__all__ = ["Levels"]


class Levels:
    """The badness of trials at the highest level that enough of them have reached.

    A level is a number of epochs at which at least ``enough`` healthy trials were observed,
    such as a rung. Results of the level are the trials that were trained so far or further,
    each with its badness at the level, and those that ended between the level below and this
    one: early stopping ended them, and they stand as if they were trained to the level. A
    dead trial is a result of every level, infinitely bad. Before there is a level, all trials
    are results with what they gave last.

    Source: S. Falkner, A. Klein, F. Hutter, "BOHB: Robust and Efficient Hyperparameter
    Optimization at Scale", ICML 2018, section 3.2 (the model of the largest budget with
    enough observations).

    Args:
        enough: Results that make a level.
    """

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._row_of: dict[int, int] = {}
        self._results: list[Result] = []
        self._observed_at: Counter[int] = Counter()
        self._badness = np.full(64, math.nan)
        self._below = 0
        self.level: int | None = None
        """Epochs of the level, or None before there is one."""

    def enter(self, result: Result) -> int:
        """Take a result in, and return its row: trials are numbered as they first come."""
        row = self._row_of.setdefault(result.trial, len(self._results))
        if row == len(self._results):
            self._results.append(result)
            if row == len(self._badness):
                self._badness = np.concatenate([self._badness, np.full(row, math.nan)])
        self._results[row] = result
        self._observed_at[result.epochs] += not result.dead
        before = self._below, self.level
        self._below, self.level = self._levels()
        same = before == (self._below, self.level)
        for each in (row,) if same else range(len(self._results)):
            self._badness[each] = self._at_level(self._results[each])
        return row

    @property
    def badness(self) -> NDArray[np.float64]:
        """One number a trial, shape ``(trials,)``: NaN where it is no result of the level."""
        return self._badness[: len(self._results)]

    def _levels(self) -> tuple[int, int | None]:
        """Return the level below the highest one, 0 where there is none, and that one."""
        levels = sorted(e for e, count in self._observed_at.items() if count >= self._enough)
        return ([0, 0, *levels][-2], levels[-1]) if levels else (0, None)

    def _at_level(self, result: Result) -> float:
        if result.dead:
            return math.inf
        if self.level is None:
            return result.at(result.epochs)
        return result.at(self.level) if result.epochs > self._below else math.nan
