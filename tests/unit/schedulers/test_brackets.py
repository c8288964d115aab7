import math

import pytest

from ripieno.errors import SearchError
from ripieno.records import Goal, Objective, Order, Outcome, OutcomeStatus
from ripieno.schedulers.brackets import Brackets
from ripieno.schedulers.nursery import Nursery
from ripieno.schedulers.rungs import Plan
from ripieno.searchers import Grid, Random
from ripieno.space import Float, Int, Space
from ripieno.testing import Watched, carry_out

LOSS = Objective("loss")


SPACE = Space(lr=Float(0.0, 1.0))


def brackets(*plans, searcher=None, objective=LOSS):
    searcher = searcher or Random(SPACE, 0)
    return Brackets(Nursery(searcher), Goal.of(objective), plans=plans)


def gave(order, loss, status=OutcomeStatus.DONE):
    rows = tuple({"loss": loss} for _ in range(order.epochs))
    return Outcome(order, status, metrics=rows)


def numbers(orders):
    return [(order.trial, order.start, order.stop) for order in orders]


def test_while_a_rung_waits_new_trials_enter_the_next_bracket():
    scheduler = brackets(Plan(3, (1, 3), 3), Plan(2, (3,), 3))
    orders = scheduler.ask(10)
    assert numbers(orders) == [(0, 0, 1), (1, 0, 1), (2, 0, 1), (3, 0, 3), (4, 0, 3)]
    assert scheduler.ask(10) == []


def test_trials_that_went_up_are_ordered_before_new_ones_best_first():
    scheduler = brackets(Plan(6, (1, 3), 3), Plan(2, (3,), 3))
    for order, loss in zip(scheduler.ask(6), (5, 4, 2, 1, 6, 7), strict=True):
        scheduler.tell(gave(order, loss))
    assert numbers(scheduler.ask(4)) == [(3, 1, 3), (2, 1, 3), (6, 0, 3), (7, 0, 3)]


def test_a_rung_is_decided_when_the_last_of_it_has_told():
    scheduler = brackets(Plan(3, (1, 3), 3))
    first, second, third = scheduler.ask(3)
    scheduler.tell(gave(third, 0.1))
    scheduler.tell(gave(first, 0.3))
    assert scheduler.ask(1) == []
    scheduler.tell(gave(second, 0.2))
    assert numbers(scheduler.ask(1)) == [(2, 1, 3)]


def test_the_searcher_observes_a_rung_by_number_when_it_is_decided():
    watched = Watched(Random(SPACE, 0))
    scheduler = brackets(Plan(3, (1, 3), 3), searcher=watched)
    orders = scheduler.ask(3)
    scheduler.tell(gave(orders[2], 1.0))
    scheduler.tell(gave(orders[1], 0.5, OutcomeStatus.FAILED))
    assert watched.observed == []
    scheduler.tell(gave(orders[0], 2.0))
    scheduler.tell(gave(scheduler.ask(1)[0], 1.0))
    assert [[(trial.id, trial.epochs) for trial in trials] for trials in watched.observed] == [
        [(0, 1), (1, 1), (2, 1)],
        [(2, 3)],
    ]


def test_the_larger_values_go_up_where_more_is_better():
    scheduler = brackets(Plan(3, (1, 3), 3), objective=Objective("loss", "maximize"))
    for order, value in zip(scheduler.ask(3), (0.2, 0.9, 0.5), strict=True):
        scheduler.tell(gave(order, value))
    assert numbers(scheduler.ask(1)) == [(1, 1, 3)]


@pytest.mark.parametrize("status", [OutcomeStatus.FAILED, OutcomeStatus.DIVERGED])
def test_a_dead_trial_frees_its_slot_and_never_goes_up_however_good_it_looked(status):
    scheduler = brackets(Plan(3, (1, 3), 3))
    first, second, third = scheduler.ask(3)
    scheduler.tell(gave(first, 0.0, status))
    scheduler.tell(gave(second, 5.0))
    scheduler.tell(gave(third, 4.0))
    assert numbers(scheduler.ask(1)) == [(2, 1, 3)]


def test_a_loss_of_nan_is_a_dead_trial():
    scheduler = brackets(Plan(3, (1, 3), 3))
    for order in scheduler.ask(3):
        scheduler.tell(gave(order, math.nan))
    assert scheduler.ask(1) == []
    assert scheduler.planned == 3


def test_planned_counts_out_what_dead_trials_leave():
    scheduler = brackets(Plan(9, (1, 3, 9), 3))
    assert scheduler.planned == 13
    for order in scheduler.ask(9):
        status = OutcomeStatus.DONE if order.trial == 4 else OutcomeStatus.DIVERGED
        scheduler.tell(gave(order, 1.0, status))
    assert scheduler.planned == 9 + 1 + 1


def test_a_searcher_that_runs_dry_shortens_the_bracket_and_ends_the_search():
    grid = Grid(Space(depth=Int(1, 7)))
    scheduler = brackets(Plan(27, (1, 3, 9), 3), Plan(9, (3, 9), 3), searcher=grid)
    assert scheduler.planned == 27 + 9 + 3 + 9 + 3
    orders = scheduler.ask(50)
    assert len(orders) == 7
    assert scheduler.planned == 7 + 2 + 1
    for order in orders:
        scheduler.tell(gave(order, float(order.trial)))
    assert numbers(scheduler.ask(50)) == [(0, 1, 3), (1, 1, 3)]


def test_a_rung_that_had_told_before_the_searcher_ran_dry_goes_up_at_once():
    grid = Grid(Space(depth=Int(1, 3)))
    scheduler = brackets(Plan(9, (1, 3), 3), searcher=grid)
    for order in scheduler.ask(3):
        scheduler.tell(gave(order, float(order.trial)))
    assert numbers(scheduler.ask(2)) == [(0, 1, 3)]


def test_a_searcher_that_runs_dry_between_two_brackets_leaves_the_first_whole():
    grid = Grid(Space(depth=Int(1, 3)))
    scheduler = brackets(Plan(3, (1, 3), 3), Plan(3, (3,), 3), searcher=grid)
    orders = scheduler.ask(9)
    assert len(orders) == 3
    assert scheduler.planned == 4
    for order in orders:
        scheduler.tell(gave(order, 1.0))
    assert numbers(scheduler.ask(9)) == [(0, 1, 3)]


def test_an_outcome_without_the_objective_is_refused_by_name():
    scheduler = brackets(Plan(3, (1, 3), 3), objective=Objective("accuracy", "maximize"))
    with pytest.raises(SearchError, match="'accuracy' was not reported"):
        scheduler.tell(gave(scheduler.ask(1)[0], 1.0))


def test_an_outcome_that_belongs_to_no_order_is_refused():
    scheduler = brackets(Plan(3, (1, 3), 3))
    order = scheduler.ask(1)[0]
    scheduler.tell(carry_out(order))
    with pytest.raises(SearchError, match="is out"):
        scheduler.tell(carry_out(order))


def test_an_outcome_of_an_order_that_is_ready_but_not_given_is_refused():
    scheduler = brackets(Plan(3, (1, 3), 3))
    for order in scheduler.ask(3):
        scheduler.tell(gave(order, float(order.trial)))
    early = Order(0, SPACE.default(), 1, 3)
    with pytest.raises(SearchError, match="is out"):
        scheduler.tell(gave(early, 1.0))
    scheduler.tell(gave(scheduler.ask(1)[0], 1.0))
