import math

import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Order, Outcome, OutcomeStatus
from ripieno.schedulers import FreezeThaw
from ripieno.searchers import Grid, Random
from ripieno.space import Int, Space
from ripieno.testing import curve, example_spaces, orders_by_trial, rehearse

LOSS = Objective("loss")
INDEX = Space(index=Int(0, 99))


def search(levels, *, seconds=lambda _: 1.0, most=10_000, **settings):
    """Train trials whose loss is ``level + t^-1/2``; return the orders in sequence."""
    space = Space(index=Int(0, len(levels) - 1))
    scheduler = FreezeThaw(Grid(space), LOSS, **settings)
    orders = []
    while len(orders) < most and (asked := scheduler.ask(1)):
        (order,) = asked
        index = order.config["index"]
        rows = tuple(
            {"loss": levels[index] + t**-0.5} for t in range(order.start + 1, order.stop + 1)
        )
        spent = seconds(index) * order.epochs
        scheduler.tell(Outcome(order, OutcomeStatus.DONE, rows, seconds=spent))
        orders.append(order)
    return orders


def test_the_best_of_parallel_curves_is_trained_to_the_end_and_the_others_are_not():
    levels = [0.9, 0.5, 0.7, 0.2, 0.8, 0.6, 1.0, 0.4, 0.3, 1.1]
    orders = search(levels, epochs=40, interval=4)
    reached = [0] * 10
    for order in orders:
        reached[order.config["index"]] = order.stop
    assert reached[3] == 40
    assert sum(reached) < 0.5 * 10 * 40
    assert max(reached[0], reached[6], reached[9]) <= 8


def test_the_first_five_trials_are_started_side_by_side():
    scheduler = FreezeThaw(Random(example_spaces()["flat"], 0), LOSS, epochs=27)
    assert [(o.trial, o.start, o.stop) for o in scheduler.ask(7)] == [(i, 0, 1) for i in range(7)]


def test_a_slow_starter_that_falls_steadily_is_thawed_before_a_flat_one():
    scheduler = FreezeThaw(Grid(INDEX), LOSS, epochs=50, trials=6, interval=10)
    curves = [lambda t: 0.50, lambda t: 1.2 * 0.97**t + 0.05, *[lambda t: 0.9] * 4]
    orders = scheduler.ask(6)
    for order, loss in zip(orders, curves, strict=True):
        rows = tuple({"loss": loss(t)} for t in range(1, 11))
        scheduler.tell(Outcome(order, OutcomeStatus.DONE, rows))
    assert curves[1](10) > curves[0](10)
    assert (scheduler.ask(1)[0].trial, curves[1](50) < 0.4) == (1, True)


def test_diverged_trials_make_new_ones_less_promising_and_are_never_thawed():
    scheduler = FreezeThaw(Grid(INDEX), LOSS, epochs=20, trials=30, interval=2)
    record = rehearse(
        scheduler,
        workers=3,
        ending=lambda order: (
            OutcomeStatus.DIVERGED if order.config["index"] % 2 else OutcomeStatus.DONE
        ),
    )
    trials = orders_by_trial(record)
    assert len(trials) == 30
    assert all(len(orders) == 1 for n, orders in trials.items() if n % 2)


def test_at_equal_promise_the_cheap_trial_comes_first_if_cost_counts():
    def first_thawed(**settings):
        orders = search(
            [0.5] * 6, epochs=20, interval=2, hedge=None,
            seconds=lambda i: 1.0 if i == 3 else 9.0, **settings,
        )  # fmt: skip
        return next(order.trial for order in orders if order.start)

    assert first_thawed(cost_aware=True) == 3
    assert first_thawed(cost_aware=False) == 0


def test_it_finds_a_good_trial_with_a_part_of_the_epochs_of_training_everything():
    space = example_spaces()["nested"]
    scheduler = FreezeThaw(Random(space, 3), LOSS, epochs=27, trials=60)
    orders = [e for e in rehearse(scheduler, workers=1) if isinstance(e, Order)]
    finals = sorted(curve(config, 27)["loss"] for config in Random(space, 3).suggest(60))
    found = min(curve(order.config, order.stop)["loss"] for order in orders)
    assert found <= finals[2]
    assert sum(order.epochs for order in orders) < 0.5 * 60 * 27
    assert any(order.stop == 27 for order in orders)


@pytest.mark.parametrize(
    "settings", [{"epochs": 0}, {"epochs": 9, "trials": 0}, {"epochs": 9, "interval": 10}]
)
def test_numbers_out_of_range_are_refused(settings):
    with pytest.raises(SearchError) as caught:
        FreezeThaw(Grid(INDEX), LOSS, **settings)
    assert caught.value.where.startswith("FreezeThaw(epochs=")


def test_trials_that_have_hardly_begun_do_not_hide_how_far_a_good_one_falls():
    # All begin at 1.0; after one epoch they differ by thousandths, in the end by halves.
    finals = [0.9, 0.8, 0.3, 0.95, 0.7, 0.85, 0.75, 0.6, 0.5, 0.65]
    space = Space(index=Int(0, 9))
    scheduler = FreezeThaw(Grid(space), LOSS, epochs=50, interval=1)
    reached = [0] * 10
    while sum(reached) < 250 and (asked := scheduler.ask(1)):
        (order,) = asked
        final = finals[order.config["index"]]
        rows = tuple(
            {"loss": final + (1.0 - final) * (1.0 - epoch / 51)}
            for epoch in range(order.start + 1, order.stop + 1)
        )
        scheduler.tell(Outcome(order, OutcomeStatus.DONE, rows))
        reached[order.config["index"]] = order.stop
    assert reached[2] == 50
    assert reached.count(50) <= 4


def test_the_hedge_finds_a_fall_behind_a_plateau_that_no_forecast_sees():
    def loss(index, epoch):
        flat = 0.7 + 1e-4 * (7 * index % 10)
        return max(flat - 0.06 * max(epoch - 8, 0), 0.1) if index == 10 else flat

    def best(**settings):
        space = Space(index=Int(0, 29))
        scheduler = FreezeThaw(Grid(space), LOSS, epochs=27, interval=1, **settings)
        spent, found = 0, math.inf
        while spent < 250 and (asked := scheduler.ask(1)):
            (order,) = asked
            row = {"loss": loss(order.config["index"], order.stop)}
            scheduler.tell(Outcome(order, OutcomeStatus.DONE, (row,)))
            spent, found = spent + 1, min(found, row["loss"])
        return found

    assert best() == pytest.approx(0.1)
    assert best(hedge=None) == pytest.approx(0.7)


def test_without_a_hedge_only_forecasts_decide():
    levels = [0.9, 0.5, 0.7, 0.2, 0.8, 0.6, 1.0, 0.4, 0.3, 1.1]
    with_hedge = search(levels, epochs=40, interval=4)
    without = search(levels, epochs=40, interval=4, hedge=None)
    assert {order.trial for order in without if order.stop == 40} == {3}
    assert sum(order.epochs for order in without) <= sum(order.epochs for order in with_hedge)
