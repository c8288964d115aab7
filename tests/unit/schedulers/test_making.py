import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective
from ripieno.schedulers import (
    Asha,
    FreezeThaw,
    FullBudget,
    Hyperband,
    MedianStop,
    PopulationBased,
    SuccessiveHalving,
    make_scheduler,
)
from ripieno.searchers import Random
from ripieno.testing import example_spaces

LOSS = Objective("loss")
FLAT = example_spaces()["flat"]


def make(name, **settings):
    return make_scheduler(name, Random(FLAT, 0), LOSS, **settings)


@pytest.mark.parametrize(
    ("name", "kind", "planned"),
    [("full", FullBudget, 27), ("halving", SuccessiveHalving, 40), ("hyperband", Hyperband, 38)],
)
def test_each_name_gives_its_scheduler_with_eta_three_from_one_epoch(name, kind, planned):
    scheduler = make(name, epochs=27, trials=27)
    assert isinstance(scheduler, kind)
    assert scheduler.planned == planned


@pytest.mark.parametrize(
    ("name", "kind"), [("asha", Asha), ("median", MedianStop), ("freezethaw", FreezeThaw)]
)
def test_each_asynchronous_name_gives_its_scheduler(name, kind):
    scheduler = make(name, epochs=27, trials=4)
    assert isinstance(scheduler, kind)
    assert len(scheduler.ask(9)) == 4


def test_pbt_gives_a_population_of_as_many_members_as_trials():
    scheduler = make("pbt", epochs=27, trials=12, space=FLAT, seed=3)
    assert isinstance(scheduler, PopulationBased)
    assert scheduler.planned == 12 * 9
    assert make("pbt", epochs=27, space=FLAT).planned == 20 * 9


def test_pbt_needs_the_space_and_says_so():
    with pytest.raises(SearchError, match="space = None") as caught:
        make("pbt", epochs=27)
    assert "pass the space" in caught.value.fix


@pytest.mark.parametrize("name", ["full", "hyperband"])
def test_the_number_of_trials_may_be_left_open(name):
    assert make(name, epochs=27).planned is None


def test_halving_needs_a_number_of_trials_and_says_what_to_do():
    with pytest.raises(SearchError, match="needs to know the number of trials") as caught:
        make("halving", epochs=27)
    assert "hyperband" in caught.value.fix


def test_an_unknown_name_is_refused_with_the_known_ones_and_a_close_match():
    with pytest.raises(SearchError) as caught:
        make("hyperbend", epochs=27)
    assert "did you mean 'hyperband'?" in caught.value.problem
    assert caught.value.fix == (
        "choose one of full, halving, hyperband, bohb, asha, median, pbt, freezethaw."
    )


def test_a_name_like_no_other_is_refused_without_a_guess():
    with pytest.raises(SearchError, match=r"called 'xyz'\."):
        make("xyz", epochs=27)
