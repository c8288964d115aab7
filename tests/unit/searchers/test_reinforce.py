import numpy as np
import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import Reinforce
from ripieno.searchers.policy import Policy
from ripieno.searchers.reinforce import Baseline
from ripieno.space import Categorical, Float, Space

LOSS = Objective("loss")
SPACE = Space(
    op=Categorical("a", "b", "c"), x=Float(0.0, 1.0), momentum=Float(0.0, 1.0).when(op="a")
)


def trial(number, config, loss, *, epochs=1, status=TrialStatus.PAUSED):
    return Trial(number, config, status, ({"loss": loss},) * epochs)


def test_the_advantage_is_the_distance_from_the_moving_average_in_moving_distances():
    baseline = Baseline(0.9)
    assert baseline.advantage(5.0, 1) == 0.0
    assert baseline.advantage(3.0, 1) == 1.0  # the first distance is its own unit
    # average 4.8, distance 2.0
    assert baseline.advantage(4.0, 1) == pytest.approx(0.8 / 2.0)
    # average 4.72, distance 1.88
    assert baseline.advantage(9.0, 1) == pytest.approx(-4.28 / 1.88)
    assert baseline.advantage(1e9, 1) == -3.0


def test_each_number_of_epochs_has_its_own_average_which_begins_with_the_nearest():
    baseline = Baseline(0.5)
    for value in (10.0, 8.0):
        baseline.advantage(value, 1)  # average 9, distance 2
    assert baseline.advantage(5.0, 9) == pytest.approx(2.0)  # 4 below 9; then average 7, distance 3
    assert baseline.advantage(5.5, 9) == pytest.approx(0.5)
    assert baseline.advantage(9.0, 1) == 0.0


def test_a_trial_moves_the_policy_along_the_score_by_its_advantage():
    searcher = Reinforce(SPACE, LOSS, rate=0.2, entropy=0.05)
    expected = Policy(SPACE, SPACE.encode(SPACE.default()))
    baseline = Baseline(0.9)
    configs = SPACE.sample(np.random.default_rng(0), 12)
    for number, config in enumerate(configs):
        loss = float(number * 7 % 5)
        searcher.observe([trial(number, config, loss)])
        active = np.array([name in config for name in SPACE.searched])
        advantage = baseline.advantage(loss, 1)
        score = expected.score(SPACE.encode(config), active)
        expected.step(advantage * score + 0.05 * expected.entropy_gradient(), rate=0.2)
    np.testing.assert_array_equal(searcher.policy.parameters, expected.parameters)


def test_a_dead_trial_has_the_worst_advantage_and_leaves_the_average_alone():
    searcher = Reinforce(SPACE, LOSS, rate=0.1, entropy=0.0)
    config = SPACE.config(op="b", x=0.5)
    before = searcher.policy.parameters.copy()
    policy = Policy(SPACE, SPACE.encode(SPACE.default()))
    policy.step(-3.0 * policy.score(SPACE.encode(config), np.array([True, True, False])), rate=0.1)
    searcher.observe([trial(0, config, 1.0, status=TrialStatus.DIVERGED)])
    np.testing.assert_array_equal(searcher.policy.parameters, policy.parameters)
    assert not np.array_equal(before, policy.parameters)
    # The first value that counts is as usual, and moves nothing.
    searcher.observe([trial(1, config, 7.0)])
    np.testing.assert_array_equal(searcher.policy.parameters, policy.parameters)


def test_an_inactive_hyperparameter_is_not_moved():
    searcher = Reinforce(SPACE, LOSS, entropy=0.0)
    rng = np.random.default_rng(1)
    for number in range(20):
        config = SPACE.config(op="bc"[number % 2], x=float(rng.random()))
        searcher.observe([trial(number, config, float(rng.random()))])
    means, log_sds = searcher.policy.parameters[:4].reshape(2, 2)
    assert means[1] == 0.5
    assert log_sds[1] == np.log(0.25)
    assert means[0] != 0.5


@pytest.mark.parametrize("default", [0.35, 0.65])
def test_it_begins_at_the_default(default):
    space = Space(x=Float(0.0, 1.0, default=default))
    xs = [config.x for config in Reinforce(space, LOSS).suggest(400)]
    assert np.median(xs) == pytest.approx(default, abs=0.05)


@pytest.mark.parametrize("options", [{"rate": 0.0}, {"entropy": -1.0}, {"decay": 1.0}])
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(SearchError, match="out of range"):
        Reinforce(SPACE, LOSS, **options)
