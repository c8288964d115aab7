import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective
from ripieno.schedulers import SuccessiveHalving
from ripieno.searchers import Random
from ripieno.testing import curve, example_spaces, orders_by_trial, rehearse

LOSS = Objective("loss")


def searcher():
    return Random(example_spaces()["mixed"], 5)


def halving(**settings):
    return SuccessiveHalving(searcher(), LOSS, **settings)


def test_survivors_are_those_of_a_plain_implementation():
    configs = searcher().suggest(50)
    expected = {trial: [(0, 1)] for trial in range(50)}
    alive = list(range(50))
    for start, stop, keep in ((1, 3, 16), (3, 9, 5), (9, 27, 1)):
        alive = sorted(alive, key=lambda trial: curve(configs[trial], start)["loss"])[:keep]
        for trial in alive:
            expected[trial].append((start, stop))
    trials = orders_by_trial(rehearse(halving(epochs=27, trials=50), workers=7))
    assert {
        trial: [(order.start, order.stop) for order in orders] for trial, orders in trials.items()
    } == expected


def test_planned_is_the_sum_of_the_rungs():
    assert halving(epochs=27, trials=81).planned == 81 + 27 + 9 + 3
    assert halving(epochs=16, trials=10, eta=2, min_epochs=4).planned == 10 + 5 + 2


def test_the_first_rung_starts_at_the_fewest_epochs():
    scheduler = halving(epochs=100, trials=9, eta=3, min_epochs=10)
    assert {order.stop for order in scheduler.ask(9)} == {100 // 9}


def test_one_trial_is_trained_to_the_end_rung_by_rung():
    trials = orders_by_trial(rehearse(halving(epochs=27, trials=1), workers=3))
    assert [(order.start, order.stop) for order in trials[0]] == [(0, 1), (1, 3), (3, 9), (9, 27)]


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0, "trials": 9},
        {"epochs": 9, "trials": 0},
        {"epochs": 9, "trials": None},
        {"epochs": 9, "trials": 9, "eta": 1},
        {"epochs": 9, "trials": 9, "min_epochs": 10},
    ],
)
def test_numbers_out_of_range_are_refused(settings):
    with pytest.raises(SearchError) as caught:
        halving(**settings)
    assert caught.value.where.startswith("SuccessiveHalving(epochs=")
