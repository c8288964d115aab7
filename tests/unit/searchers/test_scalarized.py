import math

import numpy as np
import pytest

from ripieno.records import (
    Config,
    Goal,
    Limit,
    Objective,
    Trial,
    TrialStatus,
    fronts,
    hypervolume,
)
from ripieno.searchers import SCALARIZED, Random, Scalarized
from ripieno.space import Float, Space

SPACE = Space(x=Float(0.0, 1.0), y=Float(0.0, 1.0))
GOAL = Goal((Objective("a"), Objective("b", "maximize")))


class Shown:
    """Keeps the last observation of each trial."""

    def __init__(self):
        self.trials = {}

    def suggest(self, count):
        return Random(SPACE).suggest(count)

    def observe(self, trials):
        self.trials.update({trial.id: trial for trial in trials})

    def scores(self):
        values = {n: t.metrics[SCALARIZED.metric] for n, t in self.trials.items() if t.history}
        return dict(sorted(values.items()))


def trial(number, *rows, status=TrialStatus.PAUSED):
    return Trial(number, Config({"x": 0.5, "y": 0.5}), status, rows)


def shown(goal, *trials, suggestions=1, seed=0):
    inner = Shown()
    searcher = Scalarized(inner, goal, seed=seed)
    searcher.observe(trials)
    searcher.suggest(suggestions)
    return inner


def test_the_number_is_the_augmented_chebyshev_function_of_the_normalised_metrics():
    ends = [{"a": 1.0, "b": 5.0}, {"a": 3.0, "b": 9.0}, {"a": 2.0, "b": 6.0}]
    inner = shown(GOAL, *(trial(n, row) for n, row in enumerate(ends)), seed=7)
    weights = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(0,))).dirichlet([1, 1])
    z = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.75]])
    expected = (weights * z).max(axis=1) + 0.05 * (weights * z).sum(axis=1)
    assert list(inner.scores().values()) == pytest.approx(list(expected))


def test_what_is_not_dominated_is_the_best_of_all_for_some_weights():
    rng = np.random.default_rng(3)
    points = rng.random((30, 2))
    trials = [trial(n, {"a": a, "b": -b}) for n, (a, b) in enumerate(points)]
    inner, best = Shown(), set()
    searcher = Scalarized(inner, GOAL, seed=1)
    searcher.observe(trials)
    for _ in range(200):
        searcher.suggest(1)
        scores = inner.scores()
        best.add(min(scores, key=scores.get))
    front = set(fronts(points)[0].tolist())
    assert best <= front
    assert len(best) >= min(3, len(front))
    volumes = [
        hypervolume([tuple(points[n]) for n in numbers], (1.1, 1.1)) for numbers in (best, front)
    ]
    assert volumes[0] > 0.9 * volumes[1]


def test_what_breaks_a_limit_ranks_after_all_that_keep_it_by_violation():
    goal = Goal((Objective("a"),), (Limit("b", "<=", 1.0),))
    rows = [
        {"a": 100.0, "b": 0.0},
        {"a": 0.0, "b": 1.5},
        {"a": 0.0, "b": 9.0},
        {"a": 1.0, "b": 1.0},
    ]
    scores = shown(goal, *(trial(n, row) for n, row in enumerate(rows))).scores()
    assert sorted(scores, key=scores.get) == [3, 0, 1, 2]
    assert scores[1] == pytest.approx(2.0 + 1.0 - 1.0 / 1.5)


def test_every_row_has_the_number_and_failed_trials_stay_as_they_are():
    rows = ({"a": 4.0, "b": 1.0}, {"a": 1.0, "b": 2.0})
    failed = trial(1, status=TrialStatus.FAILED)
    partial = trial(2, {"a": 1.0}, status=TrialStatus.DIVERGED)
    inner = shown(GOAL, trial(0, *rows), failed, partial)
    assert [set(row) for row in inner.trials[0].history] == [{"a", "b", SCALARIZED.metric}] * 2
    assert inner.trials[1] == failed
    assert math.isnan(inner.trials[2].metrics[SCALARIZED.metric])


def test_other_weights_come_with_every_suggestion_and_with_every_seed():
    ends = [trial(n, {"a": float(n), "b": float(n % 3)}) for n in range(5)]
    one, two = shown(GOAL, *ends), shown(GOAL, *ends, suggestions=2)
    assert one.scores() == shown(GOAL, *ends).scores()
    assert one.scores() != two.scores()
    assert one.scores() != shown(GOAL, *ends, seed=1).scores()
