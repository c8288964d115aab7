from collections import Counter

import pytest

from ripieno.records import Order, Outcome, OutcomeStatus
from ripieno.schedulers import FullBudget
from ripieno.searchers import Random
from ripieno.testing import carry_out, curve, example_spaces, fate, orders_by_trial, rehearse

SPACE = example_spaces()["mixed"]
CONFIGS = Random(SPACE, 0).suggest(400)


def scheduler(trials=None):
    return FullBudget(Random(SPACE, 0), epochs=4, trials=trials)


def test_curves_fall_and_some_of_them_cross():
    early = [curve(config, 1)["loss"] for config in CONFIGS[:50]]
    late = [curve(config, 27)["loss"] for config in CONFIGS[:50]]
    assert all(after < before for before, after in zip(early, late, strict=True))
    assert sorted(range(50), key=early.__getitem__) != sorted(range(50), key=late.__getitem__)


def test_more_accurate_is_less_loss_and_many_are_alike_in_coarse_steps():
    rows = [curve(config, 3) for config in CONFIGS]
    by_loss = sorted(rows, key=lambda row: row["loss"])
    assert by_loss == sorted(rows, key=lambda row: -row["accuracy"])
    assert len({row["coarse"] for row in rows}) < 6


def test_one_order_in_eight_fails_and_one_in_eight_diverges():
    ends = Counter(fate(Order(0, config, 0, stop)) for config in CONFIGS for stop in range(1, 9))
    assert ends == {
        OutcomeStatus.FAILED: 400,
        OutcomeStatus.DIVERGED: 400,
        OutcomeStatus.DONE: 2_400,
    }


@pytest.mark.parametrize(("status", "rows"), [("done", 6), ("diverged", 3), ("failed", 0)])
def test_an_order_gives_a_row_for_each_epoch_that_was_trained(status, rows):
    order = Order(7, CONFIGS[0], 3, 9)
    outcome = carry_out(order, status=OutcomeStatus(status))
    assert outcome.metrics == tuple(curve(CONFIGS[0], epoch) for epoch in range(4, 4 + rows))
    assert outcome.reached == 3 + rows
    assert (outcome.error is None) == (status == "done")
    assert (outcome.state is None) == (status != "done")


@pytest.mark.parametrize("workers", [1, 3, 20])
def test_no_more_orders_are_out_than_there_are_workers(workers):
    out, busiest = set(), 0
    for event in rehearse(scheduler(trials=40), workers=workers, seed=2):
        if isinstance(event, Outcome):
            out.remove(event.order)
        else:
            out.add(event)
        busiest = max(busiest, len(out))
    assert out == set()
    assert busiest <= workers
    assert workers == 1 or busiest > 1


def test_a_simulation_is_a_function_of_its_seed():
    records = [rehearse(scheduler(trials=30), workers=5, seed=seed) for seed in (1, 1, 2)]
    assert records[0] == records[1] != records[2]


def test_a_search_without_an_end_is_stopped_after_so_many_events():
    assert 50 <= len(rehearse(scheduler(), workers=3, most=50)) <= 53
    assert rehearse(scheduler(), workers=3, most=0) == []


def test_orders_are_sorted_by_their_trials():
    record = rehearse(scheduler(trials=5), workers=2)
    orders = orders_by_trial(record)
    assert list(orders) == [0, 1, 2, 3, 4]
    assert all(order.trial == trial for trial, given in orders.items() for order in given)
