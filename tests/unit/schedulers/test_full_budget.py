import pytest

from ripieno.errors import SearchError
from ripieno.records import OutcomeStatus
from ripieno.schedulers import FullBudget
from ripieno.searchers import Grid, Random
from ripieno.space import Int, Space
from ripieno.testing import Watched, carry_out, example_spaces

DEPTHS = Space(depth=Int(1, 5))


def test_each_trial_is_one_order_over_all_epochs():
    scheduler = FullBudget(Random(example_spaces()["mixed"], 0), epochs=27, trials=5)
    orders = scheduler.ask(100)
    assert [(order.trial, order.start, order.stop) for order in orders] == [
        (trial, 0, 27) for trial in range(5)
    ]
    assert scheduler.ask(1) == []


def test_without_a_number_of_trials_only_the_searcher_ends_it():
    endless = FullBudget(Random(DEPTHS, 0), epochs=1)
    assert len(endless.ask(500)) == 500
    assert endless.planned is None
    grid = FullBudget(Grid(DEPTHS), epochs=1)
    assert grid.planned is None
    assert len(grid.ask(500)) == 5
    assert grid.planned == 5


def test_planned_is_the_number_of_trials_or_what_the_searcher_had():
    scheduler = FullBudget(Grid(DEPTHS), epochs=1, trials=8)
    assert scheduler.planned == 8
    scheduler.ask(5)
    assert scheduler.planned == 8
    scheduler.ask(1)
    assert scheduler.planned == 5


def test_the_searcher_observes_trials_in_the_order_of_their_numbers():
    watched = Watched(Random(DEPTHS, 0))
    scheduler = FullBudget(watched, epochs=3, trials=6)
    orders = scheduler.ask(6)
    for trial in (2, 0, 4, 1, 5, 3):
        status = OutcomeStatus.FAILED if trial == 1 else OutcomeStatus.DONE
        scheduler.tell(carry_out(orders[trial], status=status))
    numbers = [[trial.id for trial in trials] for trials in watched.observed]
    assert numbers == [[0], [1, 2], [3, 4, 5]]


@pytest.mark.parametrize("numbers", [{"epochs": 0}, {"epochs": 3, "trials": 0}, {"epochs": 1.5}])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(SearchError, match="not a whole number from 1 up"):
        FullBudget(Random(DEPTHS, 0), **numbers)
