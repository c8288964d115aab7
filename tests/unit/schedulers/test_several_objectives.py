"""Schedulers where several objectives and limits count."""

import pytest

from ripieno.errors import SearchError
from ripieno.records import Goal, Limit, Objective, Outcome, OutcomeStatus, ranked
from ripieno.schedulers import (
    Asha,
    FreezeThaw,
    Hyperband,
    MedianStop,
    PopulationBased,
    SuccessiveHalving,
)
from ripieno.searchers import Random
from ripieno.space import Float, Space

SPACE = Space(x=Float(0.0, 1.0), y=Float(0.0, 1.0))
GOAL = Goal((Objective("a"), Objective("b", "maximize")), (Limit("c", "<=", 0.7),))


def row(config):
    return {"a": config.x, "b": config.x - config.y, "c": config.y}


def finish(scheduler, orders):
    for order in orders:
        rows = (row(order.config),) * order.epochs
        scheduler.tell(Outcome(order, OutcomeStatus.DONE, metrics=rows))


def test_a_rung_lets_those_through_that_the_ranking_has_first():
    scheduler = SuccessiveHalving(Random(SPACE, seed=1), GOAL, epochs=3, trials=12)
    orders = scheduler.ask(12)
    finish(scheduler, reversed(orders))
    merits = {order.trial: GOAL.rated(row(order.config)) for order in orders}
    assert [order.trial for order in scheduler.ask(12)] == ranked(merits)[:4]


@pytest.mark.parametrize("make", [Hyperband, Asha])
def test_a_trial_that_keeps_the_limits_goes_on_before_one_that_does_not(make):
    scheduler = make(Random(SPACE, seed=2), GOAL, epochs=3, trials=9)
    orders, kept = scheduler.ask(9), []
    for order in orders:
        finish(scheduler, [order])
    later = scheduler.ask(9)
    kept = [order for order in orders if order.config.y <= 0.7]
    assert later
    assert len(kept) >= len(later)
    assert all(order.config.y <= 0.7 for order in later)


def test_a_population_gives_up_what_breaks_a_limit_first():
    scheduler = PopulationBased(
        Random(SPACE, seed=3), GOAL, space=SPACE, epochs=4, population=10, interval=2
    )
    first = scheduler.ask(10)
    finish(scheduler, first)
    broken = [order.trial for order in first if order.config.y > 0.7]
    assert len(broken) >= 2
    stay = {order.trial for order in scheduler.ask(10) if order.parent is None}
    worst = ranked({order.trial: GOAL.rated(row(order.config)) for order in first})[-2:]
    assert stay == set(range(10)) - set(worst)
    assert set(worst) <= set(broken)


def median_stop(goal):
    searcher = Random(SPACE, seed=0)
    return MedianStop(searcher, goal, epochs=9, trials=6, interval=1, min_trials=4)


MIDDLE = [{"a": 1.0, "b": 1.0, "c": 0.0}] * 4


@pytest.mark.parametrize(
    ("last", "stops"),
    [
        ({"a": 2.0, "b": 0.0, "c": 0.0}, True),  # worse in both
        ({"a": 2.0, "b": 1.0, "c": 0.0}, False),  # worse in one
        ({"a": 0.0, "b": 2.0, "c": 0.9}, True),  # better, and breaks the limit
    ],
)
def test_the_median_rule_stops_what_is_worse_in_every_objective_or_in_violation(last, stops):
    scheduler = median_stop(GOAL)
    orders = scheduler.ask(5)
    for order, metrics in zip(orders, [*MIDDLE, last], strict=True):
        scheduler.tell(Outcome(order, OutcomeStatus.DONE, metrics=(metrics,)))
    going_on = [order.trial for order in scheduler.ask(6) if order.start == 1]
    assert (4 not in going_on) == stops
    assert going_on[:4] == [0, 1, 2, 3]


def test_freeze_thaw_says_that_it_knows_one_curve():
    with pytest.raises(SearchError, match="one metric") as caught:
        FreezeThaw(Random(SPACE), GOAL, epochs=9)
    assert "hyperband" in caught.value.fix
