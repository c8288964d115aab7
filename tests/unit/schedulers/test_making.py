import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective
from ripieno.schedulers import FullBudget, Hyperband, SuccessiveHalving, make_scheduler
from ripieno.searchers import Random
from ripieno.testing import example_spaces

LOSS = Objective("loss")


def make(name, **settings):
    return make_scheduler(name, Random(example_spaces()["flat"], 0), LOSS, **settings)


@pytest.mark.parametrize(
    ("name", "kind", "planned"),
    [("full", FullBudget, 27), ("halving", SuccessiveHalving, 40), ("hyperband", Hyperband, 40)],
)
def test_each_name_gives_its_scheduler_with_eta_three_from_one_epoch(name, kind, planned):
    scheduler = make(name, epochs=27, trials=27)
    assert isinstance(scheduler, kind)
    assert scheduler.planned == planned


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
    assert caught.value.fix == "choose one of full, halving, hyperband."


def test_a_name_like_no_other_is_refused_without_a_guess():
    with pytest.raises(SearchError, match=r"called 'asha'\."):
        make("asha", epochs=27)
