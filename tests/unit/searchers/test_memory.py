import math

import numpy as np
import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers.memory import Memory, Result, compared
from ripieno.space import Categorical, Float, Int, Space

SPACE = Space(a=Int(1, 6), b=Categorical("x", "y")).where("a != 3")
LOSS = Objective("loss")


def memory(space=SPACE, objective=LOSS):
    return Memory(space, objective, seed=0, where="Searcher")


def trial(number, config, *values, status=TrialStatus.PAUSED, parent=None):
    history = tuple({"loss": value} for value in values)
    return Trial(number, config, status, history, parent=parent)


def test_badness_ascends_from_good_to_bad_in_either_direction():
    config = SPACE.config(a=1, b="x")
    found = memory(objective=Objective("loss", "maximize")).observe([trial(0, config, 0.2, 0.9)])
    assert found == [Result(0, config, (-0.2, -0.9), dead=False)]
    assert memory().observe([trial(0, config, math.nan)])[0].badness == (math.inf,)


def test_results_are_compared_where_all_of_them_have_been():
    config = SPACE.config(a=1, b="x")
    long, short = Result(0, config, (9.0, 5.0, 1.0), False), Result(1, config, (8.0, 4.0), False)
    dead, failed = Result(2, config, (0.1,), True), Result(3, config, (), True)
    assert compared([long, short, dead, failed]) == [5.0, 4.0, math.inf, math.inf]
    assert compared([dead]) == [math.inf]
    assert compared([]) == []


def test_a_suggestion_is_pending_until_it_has_a_result():
    kept = memory()
    configs = kept.suggest(3, kept.draw)
    assert list(kept.pending.values()) == configs
    kept.observe([trial(5, configs[1], 1.0)])
    assert list(kept.pending.values()) == [configs[0], configs[2]]
    assert list(kept.results) == [5]


def test_a_fork_says_nothing_about_its_config():
    kept = memory()
    assert kept.observe([trial(1, SPACE.config(a=1, b="x"), 1.0, parent=0)]) == []
    assert kept.results == {}


def test_a_finite_space_is_drawn_to_its_last_config_and_then_exhausted():
    kept = memory()
    configs = kept.suggest(50, kept.draw)
    assert len(configs) == 10
    assert set(configs) == set(SPACE.grid())
    assert kept.suggest(1, kept.draw) == []


def test_a_config_that_was_swapped_for_another_one_may_be_suggested_again():
    kept = memory()
    (suggested,) = kept.suggest(1, kept.draw)
    given = next(config for config in SPACE.grid() if config != suggested)
    kept.swap(suggested, given)
    assert list(kept.pending.values()) == [given]
    assert kept.is_new(suggested)
    assert not kept.is_new(given)


def test_a_swapped_config_comes_back_after_the_walk_through_the_space_has_passed_it():
    kept = memory()
    configs = kept.suggest(9, kept.draw)
    last = next(config for config in SPACE.grid() if config not in configs)
    kept.swap(configs[-1], last)
    assert kept.suggest(2, kept.draw) == [configs[-1]]


def test_the_first_new_candidate_is_taken_and_a_random_one_where_none_is_new():
    kept = memory()
    first, second = SPACE.config(a=1, b="x"), SPACE.config(a=2, b="x")
    forbidden = SPACE.decode(np.array([2.5 / 6, 0.1]))
    kept.observe([trial(0, first, 1.0)])
    rng = np.random.default_rng(0)
    assert forbidden.a == 3
    assert kept.first_new([first, forbidden, second], rng) == second
    assert kept.is_new(kept.first_new([first, forbidden], rng))


def test_an_infinite_space_is_never_exhausted():
    kept = memory(Space(x=Float(0.0, 1.0)))
    assert len(kept.suggest(500, kept.draw)) == 500


@pytest.mark.parametrize("seed", [-1, 0.5, True, None])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(SearchError, match="whole number") as caught:
        Memory(SPACE, LOSS, seed=seed, where="Evolution")
    assert caught.value.where.startswith("Evolution(")
