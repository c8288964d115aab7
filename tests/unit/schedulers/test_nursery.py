import pytest

from ripieno.errors import SearchError
from ripieno.records import Order, Outcome, OutcomeStatus, TrialStatus
from ripieno.schedulers.nursery import Nursery
from ripieno.searchers import Grid
from ripieno.space import Int, Space
from ripieno.testing import Watched, carry_out


@pytest.fixture
def watched():
    return Watched(Grid(Space(depth=Int(1, 3))))


@pytest.fixture
def nursery(watched):
    return Nursery(watched)


def test_trials_are_numbered_and_given_the_configs_in_sequence(nursery):
    orders = [nursery.create(epochs=2) for _ in range(3)]
    assert [(order.trial, order.config["depth"]) for order in orders] == [(0, 1), (1, 2), (2, 3)]
    assert {(order.start, order.stop) for order in orders} == {(0, 2)}
    assert nursery.created == 3


def test_the_searcher_is_asked_for_one_config_a_trial_and_never_again_once_exhausted(
    nursery, watched
):
    for _ in range(3):
        nursery.create(epochs=1)
    assert (watched.asked, nursery.exhausted) == (3, False)
    assert nursery.create(epochs=1) is None
    assert nursery.create(epochs=1) is None
    assert (watched.asked, nursery.exhausted) == (4, True)
    assert nursery.created == 3


def test_a_record_grows_with_each_outcome(nursery):
    first = carry_out(nursery.create(epochs=2))
    nursery.settle(first)
    second = carry_out(nursery.extend(0, start=2, stop=5))
    trial = nursery.settle(second)
    assert trial.history == first.metrics + second.metrics
    assert trial.epochs == 5
    assert trial.seconds == first.seconds + second.seconds
    assert trial.status is TrialStatus.PAUSED
    assert trial.state == second.state


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (OutcomeStatus.DONE, TrialStatus.PAUSED),
        (OutcomeStatus.DIVERGED, TrialStatus.DIVERGED),
        (OutcomeStatus.FAILED, TrialStatus.FAILED),
    ],
)
def test_a_trial_stands_where_its_order_ended(nursery, ending, status):
    assert nursery.settle(carry_out(nursery.create(epochs=2), status=ending)).status is status


def test_an_error_is_kept_with_the_trial(nursery):
    order = nursery.create(epochs=2)
    outcome = Outcome(order, OutcomeStatus.FAILED, error="ValueError: no", notes="loop tier")
    trial = nursery.settle(outcome)
    assert (trial.error, trial.notes) == ("ValueError: no", "loop tier")


def test_the_searcher_observes_by_number(nursery, watched):
    for _ in range(3):
        nursery.settle(carry_out(nursery.create(epochs=1)))
    nursery.observe([2, 0, 1])
    assert [[trial.id for trial in trials] for trials in watched.observed] == [[0, 1, 2]]


def test_the_rest_of_a_resumed_order_settles_the_order(nursery):
    given = nursery.create(epochs=4)
    rest = Order(given.trial, given.config, 3, 4, state="trial-0-epoch-3-state")
    assert nursery.settle(carry_out(rest)).status is TrialStatus.PAUSED


def test_an_outcome_of_no_order_that_is_out_is_refused(nursery):
    order = nursery.create(epochs=4)
    for strange in (
        Order(1, order.config, 0, 4),
        Order(0, order.config, 0, 3),
        Order(0, order.config, 4, 9),
    ):
        with pytest.raises(SearchError, match=f"no order for trial {strange.trial}"):
            nursery.settle(carry_out(strange))
    nursery.settle(carry_out(order))
    with pytest.raises(SearchError, match="is out"):
        nursery.settle(carry_out(order))


def test_a_stopped_outcome_is_refused(nursery):
    order = nursery.create(epochs=4)
    with pytest.raises(SearchError, match="not final"):
        nursery.settle(Outcome(order, OutcomeStatus.STOPPED))
