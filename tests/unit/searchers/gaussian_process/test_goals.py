"""Several objectives, and limits."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from ripieno.records import Goal, Limit, Objective, Trial, TrialStatus, hypervolume
from ripieno.searchers import GaussianProcess, Random, Sobol, make_searcher
from ripieno.searchers.gaussian_process.fitting import Hyper, fit
from ripieno.searchers.gaussian_process.layout import Layout
from ripieno.searchers.gaussian_process.posterior import Posterior
from ripieno.searchers.gaussian_process.rows import Rows
from ripieno.searchers.gaussian_process.surrogate import Surrogate
from ripieno.searchers.gaussian_process.targets import signed
from ripieno.space import Float, Space

PLANE = Space(x=Float(0.0, 1.0), y=Float(0.0, 1.0))
TWO = Goal((Objective("branin"), Objective("currin")))


def branin_currin(config):
    """Branin's function and Currin's, the two-objective problem of BoTorch."""
    x, y = 15.0 * config.x - 5.0, 15.0 * config.y
    bent = y - 5.1 / (4.0 * math.pi**2) * x**2 + 5.0 / math.pi * x - 6.0
    branin = bent**2 + 10.0 * (1.0 - 1.0 / (8.0 * math.pi)) * math.cos(x) + 10.0
    u, factor = config.x, 1.0 - math.exp(-0.5 / config.y) if config.y > 0.0 else 1.0
    upper = 2300.0 * u**3 + 1900.0 * u**2 + 2092.0 * u + 60.0
    return {
        "branin": branin,
        "currin": factor * upper / (100.0 * u**3 + 500.0 * u**2 + 4.0 * u + 20.0),
    }


def told(searcher, measure, *, count):
    """Let a searcher suggest and observe; return the rows of metrics with their configs."""
    seen = []
    for number in range(count):
        (config,) = searcher.suggest(1)
        seen.append((config, measure(config)))
        searcher.observe([Trial(number, config, TrialStatus.PAUSED, (seen[-1][1],))])
    return seen


def volume(seen):
    points = [(row["branin"], row["currin"]) for _, row in seen]
    return hypervolume(points, (18.0, 6.0))


def test_the_front_of_branin_and_currin_is_found_in_few_trials():
    found = volume(told(GaussianProcess(PLANE, TWO, 0), branin_currin, count=22))
    drawn = [told(each(PLANE, 0), branin_currin, count=22) for each in (Sobol, Random)]
    # BoTorch states 59.36 for the whole front.
    assert found > 45.0
    assert max(map(volume, drawn)) < 0.5 * found


def test_a_limit_on_another_metric_is_learnt_and_kept_to():
    goal = Goal((Objective("loss"),), (Limit("ms", "<=", 5.0),))

    def measure(config):
        return {"loss": (config.x - 0.9) ** 2 + (config.y - 0.5) ** 2, "ms": 10.0 * config.x}

    seen = told(GaussianProcess(PLANE, goal, 3), measure, count=26)
    kept = [row["loss"] for _, row in seen if row["ms"] <= 5.0]
    # The best allowed config lies on the limit, at x = 0.5.
    assert min(kept) < 0.16 + 0.005
    assert sum(row["ms"] <= 5.5 for _, row in seen[12:]) >= 9


def test_where_no_trial_keeps_a_limit_one_that_does_is_looked_for():
    goal = Goal((Objective("loss"),), (Limit("accuracy", ">=", 0.95),))

    def measure(config):
        return {"loss": config.x, "accuracy": 1.0 - (config.x - 0.83) ** 2 - (config.y - 0.21) ** 2}

    lacking = [(each, measure(each)) for each in Sobol(PLANE, 5).suggest(12)]
    lacking = [pair for pair in lacking if pair[1]["accuracy"] < 0.9]
    searcher = GaussianProcess(PLANE, goal, 0, initial=2)
    for number, (config, row) in enumerate(lacking):
        searcher.observe([Trial(-1 - number, config, TrialStatus.PAUSED, (row,))])
    seen = told(searcher, measure, count=14)
    assert any(row["accuracy"] >= 0.95 for _, row in seen)


def test_several_objectives_keep_a_limit():
    goal = Goal(TWO.objectives, (Limit("branin", "<=", 100.0), Limit("x", ">=", 0.5)))
    seen = told(
        GaussianProcess(PLANE, goal, 1),
        lambda config: {**branin_currin(config), "x": config.x},
        count=20,
    )
    assert sum(row["x"] >= 0.49 for _, row in seen[10:]) >= 8


def test_where_nothing_keeps_a_limit_the_probability_that_a_point_does_is_all_that_counts():
    rng = np.random.default_rng(0)
    units = rng.random((14, 2))
    excess = 0.2 + units[:, 1:] ** 2
    surrogate = Surrogate(Layout(PLANE))
    surrogate.learn(Rows(units, np.ones(14), units[:, :1] ** 2, excess))
    points, targets = torch.from_numpy(units), torch.from_numpy(signed(excess[:, 0]))
    numeric = torch.zeros(2, dtype=torch.bool)
    starts = [Hyper.typical(2), Hyper.typical(2, length=0.1)]
    hyper = fit(points, targets, categorical=numeric, starts=starts, steps=50)
    limit = Posterior.of(points, targets, kernel=hyper.kernel(numeric), hyper=hyper)
    others = torch.from_numpy(rng.random((5, 2)))
    mean, variance = limit.predict(others)
    expected = surrogate.acquisition(np.empty((0, 2)), observed=14, seed=0)(others)
    assert expected.numpy() == pytest.approx(norm.logcdf(-mean[:, 0] / variance.sqrt()))


def test_trials_of_elsewhere_that_lack_a_metric_count_as_failed():
    searcher = GaussianProcess(PLANE, TWO, 1)
    searcher.suggest(8)
    searcher.observe([Trial(-1, PLANE.default(), TrialStatus.PAUSED, ({"branin": 0.0},))])
    assert len(told(searcher, branin_currin, count=3)) == 3


def test_by_name_it_is_given_the_goal_itself():
    named = make_searcher("gaussianprocess", PLANE, seed=4, objective=TWO)
    own = GaussianProcess(PLANE, TWO, 4)
    first = named.suggest(1)
    assert first == [PLANE.default()]
    trials = [
        Trial(n, config, TrialStatus.PAUSED, (branin_currin(config),))
        for n, config in enumerate(named.suggest(8))
    ]
    assert [trial.config for trial in trials] == own.suggest(8)
    for each in (named, own):
        each.observe(trials)
    assert named.suggest(1) == own.suggest(1)
