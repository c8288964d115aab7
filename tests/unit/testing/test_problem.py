import math

import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Order
from ripieno.space import Float, Space
from ripieno.testing import Problem

SPACE = Space(x=Float(0.0, 1.0))


def noisy(**settings):
    """A problem whose repeat ``r`` adds ``r`` to ``x / epoch``; repeat 3 has diverged."""

    def measure(config, epoch, repeat):
        return math.nan if repeat == 3 else config.x / epoch + repeat

    return Problem(name="noisy", space=SPACE, measure=measure, repeats=4, epochs=2, **settings)


def test_a_config_is_worth_the_mean_of_the_repeats_that_did_not_diverge():
    assert noisy().value(SPACE.config(x=0.5)) == 0.25 + 1.0


@pytest.mark.parametrize(("direction", "regret"), [("minimize", 1.0), ("maximize", -1.0)])
def test_regret_is_of_the_mean_in_the_direction_of_the_objective(direction, regret):
    problem = noisy(optimum=0.25, objective=Objective("loss", direction))
    assert problem.regret(SPACE.config(x=0.5)) == regret


def test_regret_without_an_optimum_says_what_is_missing():
    with pytest.raises(SearchError, match="the optimum of 'noisy' is not known"):
        noisy().regret(SPACE.default())


def test_trials_of_one_config_are_spread_over_its_repeats_and_each_keeps_its_own():
    problem, config = noisy(), SPACE.config(x=0.0)
    repeats = [problem.repeat_of(trial, seed=0) for trial in range(4_000)]
    counts = [repeats.count(repeat) for repeat in range(4)]
    assert min(counts) > 900
    assert repeats != [problem.repeat_of(trial, seed=1) for trial in range(4_000)]
    trial = repeats.index(2)
    rows = [problem.row(Order(trial, config, 0, 2), epoch, seed=0) for epoch in (1, 2)]
    assert rows == [{"loss": 2.0}, {"loss": 2.0}]


def test_at_the_end_an_evaluation_is_a_whole_training():
    problem = noisy(seconds=lambda config: 3.0 + config.x).at_the_end()
    config = SPACE.config(x=0.5)
    assert (problem.epochs, problem.seconds(config)) == (1, 7.0)
    assert problem.measure(config, 1, 1) == 1.25


@pytest.mark.parametrize("settings", [{"epochs": 0}, {"repeats": 0}])
def test_a_problem_without_anything_to_measure_is_refused(settings):
    with pytest.raises(SearchError, match="leave nothing to measure"):
        Problem(name="nothing", space=SPACE, measure=lambda *_: 0.0, **settings)
