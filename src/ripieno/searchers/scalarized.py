"""One number for several objectives and limits, for searchers that learn from one.

Source: J. Knowles, "ParEGO: A Hybrid Algorithm With On-Line Landscape Approximation for
Expensive Multiobjective Optimization Problems", IEEE Transactions on Evolutionary Computation
10(1), 2006 (the augmented Chebyshev function with other weights for each suggestion; here the
weights are drawn evenly from the simplex, not from a lattice on it).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ripieno.records import Config, Goal, Metrics, Objective, Trial
from ripieno.searchers.searcher import Searcher

__all__ = ["SCALARIZED", "Scalarized"]

SCALARIZED = Objective("scalarized", "minimize")
"""What the searcher that is given one number is after."""

_RHO = 0.05
_FARTHEST = 1.8
_BROKEN = 2.0


@dataclass(frozen=True, slots=True)
class _Rated:
    """A trial and its rows as numbers: badness ``(rows, objectives)``, violation ``(rows,)``."""

    trial: Trial
    badness: NDArray[np.float64]
    violation: NDArray[np.float64]


class Scalarized:
    """Shows another searcher each row with one more metric, ``scalarized``; less is better.

    For every suggestion weights are drawn anew, a function of the seed and of the number of
    the suggestion, so that one after another pulls towards another part of the front. The
    number is ``max_j(w_j z_j) + 0.05 sum_j(w_j z_j)``, where ``z_j`` is 0 for the best value
    of objective ``j`` that a trial has ended with so far and 1 for the worst. A row that
    breaks a limit gets a number from 2 to 3, the more the further it breaks it, and so ranks
    after all that keep them. The searcher observes every trial again before each suggestion:
    what it knew of a trial is replaced.

    Args:
        searcher: Made for the objective :data:`SCALARIZED`; it takes the last observation of
            a trial for what holds.
        goal: What the search is after.
        seed: Of the weights.
    """

    def __init__(self, searcher: Searcher, goal: Goal, *, seed: int = 0) -> None:
        self._searcher = searcher
        self._goal = goal
        self._seed = seed
        self._rated: dict[int, _Rated] = {}
        self._given = 0

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs, each by weights of its own."""
        configs: list[Config] = []
        for _ in range(count):
            self._searcher.observe(self._scored())
            suggested = self._searcher.suggest(1)
            if not suggested:
                break
            configs += suggested
            self._given += 1
        return configs

    def observe(self, trials: Sequence[Trial]) -> None:
        """Keep the trials; the searcher sees them before its next suggestion."""
        self._rated.update((trial.id, self._rate(trial)) for trial in trials)

    def _rate(self, trial: Trial) -> _Rated:
        merits = [self._rated_row(row) for row in trial.history]
        size = len(self._goal.objectives)
        return _Rated(
            trial,
            np.array([badness for badness, _ in merits], dtype=np.float64).reshape(-1, size),
            np.array([violation for _, violation in merits], dtype=np.float64),
        )

    def _rated_row(self, row: Metrics) -> tuple[Sequence[float], float]:
        merit = self._goal.rated(row) if row.keys() >= set(self._goal.metrics) else None
        if merit is None:
            return [np.nan] * len(self._goal.objectives), np.nan
        return merit.badness, merit.violation

    def _scored(self) -> list[Trial]:
        """Return all trials with the one metric more, by the weights of this suggestion."""
        rated = self._rated.values()
        ends = [each.badness[-1] for each in rated if len(each.badness)]
        finite = [end for end in ends if np.isfinite(end).all()]
        if not finite:
            return [each.trial for each in rated]
        low, high = np.min(finite, axis=0), np.max(finite, axis=0)
        span = np.where(high > low, high - low, 1.0)
        weights = self._weights(len(span))
        return [_with_scores(each, (each.badness - low) / span, weights) for each in rated]

    def _weights(self, count: int) -> NDArray[np.float64]:
        sequence = np.random.SeedSequence(self._seed, spawn_key=(self._given,))
        return np.random.default_rng(sequence).dirichlet(np.ones(count))


def _with_scores(rated: _Rated, z: NDArray[np.float64], weights: NDArray[np.float64]) -> Trial:
    weighted = weights * z
    scores = np.minimum(weighted.max(axis=1) + _RHO * weighted.sum(axis=1), _FARTHEST)
    broken = rated.violation > 0.0
    # 1 - 1 / (1 + v) ascends from 0 to 1, for a violation without end too.
    scores[broken] = _BROKEN + 1.0 - 1.0 / (1.0 + rated.violation[broken])
    pairs = zip(rated.trial.history, scores.tolist(), strict=True)
    rows = tuple({**row, SCALARIZED.metric: score} for row, score in pairs)
    return replace(rated.trial, history=rows)
