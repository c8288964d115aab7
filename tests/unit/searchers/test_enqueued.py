from ripieno.records import Trial, TrialStatus
from ripieno.searchers import Enqueued, Grid, Random
from ripieno.space import Categorical, Config, Constant, Int, Space
from ripieno.testing import Learner

DEPTHS = Space(depth=Int(1, 6))


def depths(configs):
    return [config["depth"] for config in configs]


def test_given_configs_come_first_and_are_not_suggested_again():
    searcher = Enqueued([Config({"depth": 4}), Config({"depth": 2})], Grid(DEPTHS))
    assert depths(searcher.suggest(10)) == [4, 2, 1, 3, 5, 6]


def test_a_batch_is_full_although_suggestions_were_dropped():
    searcher = Enqueued([Config({"depth": 1}), Config({"depth": 2})], Grid(DEPTHS))
    assert depths(searcher.suggest(3)) == [1, 2, 3]
    assert depths(searcher.suggest(2)) == [4, 5]
    assert depths(searcher.suggest(2)) == [6]
    assert searcher.suggest(1) == []


def test_other_suggestions_may_repeat():
    suggestions = depths(Enqueued([Config({"depth": 3})], Random(DEPTHS, 0)).suggest(60))
    assert suggestions.count(3) == 1
    assert sorted(set(suggestions)) == [1, 2, 3, 4, 5, 6]


def test_a_config_that_is_given_twice_comes_twice():
    twice = [Config({"depth": 3})] * 2
    assert depths(Enqueued(twice, Grid(DEPTHS)).suggest(4)) == [3, 3, 1, 2]


def test_values_of_another_type_are_another_config():
    space = Space(x=Categorical(1, True))
    suggestions = Enqueued([Config({"x": 1})], Grid(space)).suggest(5)
    assert [config["x"] is True for config in suggestions] == [False, True]


def test_a_space_of_which_all_is_enqueued_is_exhausted():
    space = Space(epochs=Constant(3))
    whole = Enqueued([space.default()], Random(space, 0))
    assert len(whole.suggest(7)) == 1
    assert whole.suggest(1) == []
    parts = Enqueued([space.default()], Random(space, 0))
    assert [len(parts.suggest(1)) for _ in range(3)] == [1, 0, 0]


def test_observations_reach_the_other_searcher():
    trial = Trial(0, DEPTHS.default(), TrialStatus.PAUSED, ({"loss": 1.0},))
    told, untold = (Enqueued([DEPTHS.default()], Learner(DEPTHS)) for _ in range(2))
    told.observe([trial])
    alone = Learner(DEPTHS)
    alone.observe([trial])
    fresh = [config for config in alone.suggest(30) if config != DEPTHS.default()][:10]
    assert told.suggest(11)[1:] == fresh
    assert untold.suggest(11)[1:] != fresh


def test_repeats_that_are_not_in_a_row_do_not_exhaust_it():
    searcher = Enqueued([Config({"depth": 1})], Random(Space(depth=Int(1, 2)), 0))
    # About as many suggestions are dropped as are kept: more than 1,000, never 1,000 in a row.
    assert depths(searcher.suggest(2_000)) == [1] + [2] * 1_999
