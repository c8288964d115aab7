import math

import pytest

from ripieno.ledger import SqlLedger
from ripieno.loop.progress import Tracker
from ripieno.records import Config, Objective, Order, Outcome, OutcomeStatus, TrialStatus

LOSS = Objective("loss")


@pytest.fixture
def ledger():
    ledger = SqlLedger.create("sqlite://", {})
    yield ledger
    ledger.close()


def order(trial, start=0, stop=1, **more):
    return Order(trial, Config({"x": float(trial)}), start, stop, **more)


def outcome(given, loss, status=OutcomeStatus.DONE, **more):
    return Outcome(given, status, metrics=({"loss": loss},) * given.epochs, **more)


class Study:
    """A tracker beside a ledger that is told the same."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.tracker = Tracker(ledger, LOSS)

    def give(self, *orders):
        given = [self.tracker.give(order) for order in orders]
        self.ledger.record(orders=given)
        return given

    def take(self, *outcomes):
        self.ledger.record(outcomes=outcomes, clock=1.0)
        return [key for outcome in outcomes for key in self.tracker.take(outcome, 1.0)]


@pytest.fixture
def study(ledger):
    return Study(ledger)


def test_the_best_trial_is_that_of_the_least_latest_loss(study):
    for trial, loss in enumerate([0.5, 0.2, 0.3]):
        study.take(outcome(study.give(order(trial))[0], loss))
    assert study.tracker.best.id == 1


def test_a_best_trial_that_gets_worse_gives_way(study):
    for trial, loss in enumerate([0.5, 0.2, 0.3]):
        study.take(outcome(study.give(order(trial))[0], loss))
    study.take(outcome(study.give(order(1, 1, 3))[0], 0.4))
    assert study.tracker.best.id == 2


@pytest.mark.parametrize("status", [OutcomeStatus.FAILED, OutcomeStatus.DIVERGED])
def test_a_trial_that_ended_badly_is_never_best(study, status):
    study.take(outcome(study.give(order(0))[0], 0.1))
    study.take(outcome(study.give(order(1))[0], 0.0, status))
    assert study.tracker.best.id == 0
    study.take(outcome(study.give(order(0, 1, 2))[0], 0.0, status))
    assert study.tracker.best is None


def test_a_value_that_is_no_number_is_never_best(study):
    study.take(outcome(study.give(order(0))[0], math.nan))
    assert study.tracker.best is None


def test_among_equals_the_first_trial_is_best_whatever_came_first(study):
    later, first = study.give(order(0), order(1))
    study.take(outcome(first, 0.5), outcome(later, 0.5))
    assert study.tracker.best.id == 0


def test_what_is_tracked_is_what_the_ledger_would_read(study):
    """The same trials, live as after a restart."""
    a, b = study.give(order(0, 0, 4), order(1, 0, 2))
    study.take(outcome(a, 0.5, state="a4", predictions="pa"), outcome(b, 0.7, state="b2"))
    fork, rest = study.give(order(2, 4, 6, parent=0), order(1, 2, 5))
    study.take(outcome(fork, 0.2, state="f6"))
    stopped = Outcome(rest, OutcomeStatus.STOPPED, metrics=({"loss": 0.6},), state="b3")
    study.take(stopped)
    again = Tracker(study.ledger, LOSS)
    for name in ("trials", "best", "epochs", "orders"):
        assert getattr(study.tracker, name) == getattr(again, name)
    assert study.tracker.epochs == 4 + 2 + 2 + 1
    assert study.tracker.orders == 3
    assert study.tracker.best.status is TrialStatus.PAUSED


def test_an_order_gets_the_state_of_its_trial_or_of_its_parent(study):
    (first,) = study.give(order(0, 0, 2))
    assert first.state is None
    study.take(outcome(first, 0.5, state="s2"))
    later, fork = study.give(order(0, 2, 3), order(1, 2, 4, parent=0))
    assert (later.state, fork.state) == ("s2", "s2")


def test_superseded_states_and_predictions_are_given_up(study):
    (first,) = study.give(order(0, 0, 2))
    assert study.take(outcome(first, 0.5, state="s2", predictions="p2")) == []
    (second,) = study.give(order(0, 2, 3))
    assert study.take(outcome(second, 0.5, state="s3", predictions="p3")) == ["p2", "s2"]


def test_predictions_stay_until_there_are_newer_ones(study):
    (first,) = study.give(order(0, 0, 2))
    study.take(outcome(first, 0.5, state="s2", predictions="p2"))
    (second,) = study.give(order(0, 2, 4))
    part = Outcome(second, OutcomeStatus.STOPPED, metrics=({"loss": 0.5},), state="s3")
    assert study.take(part) == ["s2"]


def test_a_state_stays_while_an_open_fork_needs_it(study):
    (first,) = study.give(order(0, 0, 2))
    study.take(outcome(first, 0.5, state="s2"))
    fork, later = study.give(order(1, 2, 4, parent=0), order(0, 2, 3))
    assert study.take(outcome(later, 0.5, state="s3")) == []
    assert study.take(outcome(fork, 0.5, state="f4")) == ["s2"]


def test_a_state_stays_while_a_fork_that_was_stopped_at_once_needs_it(study):
    (first,) = study.give(order(0, 0, 2))
    study.take(outcome(first, 0.5, state="s2"))
    fork, later = study.give(order(1, 2, 4, parent=0), order(0, 2, 3))
    study.take(Outcome(fork, OutcomeStatus.STOPPED))
    assert study.take(outcome(later, 0.5, state="s3")) == []
    again = Study(study.ledger)
    (rest,) = study.ledger.open_orders()
    assert again.take(outcome(rest, 0.5, state="f4")) == ["s2"]


def test_a_state_that_a_fork_took_over_unchanged_stays(study):
    (first,) = study.give(order(0, 0, 2))
    study.take(outcome(first, 0.5, state="s2"))
    fork, later = study.give(order(1, 2, 4, parent=0), order(0, 2, 3))
    assert study.take(outcome(fork, 0.5, state="s2")) == []
    assert study.take(outcome(later, 0.5, state="s3")) == []


def test_a_state_stays_when_its_trial_fails_later(study):
    (first,) = study.give(order(0, 0, 2))
    study.take(outcome(first, 0.5, state="s2"))
    (second,) = study.give(order(0, 2, 3))
    assert study.take(outcome(second, 0.5, OutcomeStatus.FAILED)) == []
