import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Order, Outcome, OutcomeStatus
from ripieno.schedulers import Asha
from ripieno.searchers import Grid, Random
from ripieno.space import Int, Space
from ripieno.testing import example_spaces, orders_by_trial, rehearse

LOSS = Objective("loss")


def asha(**settings):
    return Asha(Random(example_spaces()["nested"], 5), LOSS, **settings)


def told(order, loss, status=OutcomeStatus.DONE):
    return Outcome(order, status, ({"loss": loss},) * order.epochs)


def short(order):
    return order.trial, order.start, order.stop


def test_promotions_of_a_hand_made_arrival_are_those_of_the_paper():
    scheduler = asha(epochs=9, trials=12)
    first = scheduler.ask(3)
    assert [short(order) for order in first] == [(0, 0, 1), (1, 0, 1), (2, 0, 1)]
    scheduler.tell(told(first[2], 0.9))
    scheduler.tell(told(first[0], 0.5))
    (third,) = scheduler.ask(1)
    assert short(third) == (3, 0, 1)  # two told: nobody is in the best third of two
    scheduler.tell(told(first[1], 0.7))
    (promoted,) = scheduler.ask(1)
    assert short(promoted) == (0, 1, 3)  # three told: the best one goes on
    more = scheduler.ask(2)
    assert [short(order) for order in more] == [(4, 0, 1), (5, 0, 1)]
    scheduler.tell(told(third, 0.1))
    (overtaking,) = scheduler.ask(1)
    assert short(overtaking) == (3, 1, 3)  # four told, one place, and it is trial 3's now
    scheduler.tell(told(more[0], 0.8))
    scheduler.tell(told(more[1], 0.6))  # six told, two places: 3 and 0, both gone on
    scheduler.tell(told(promoted, 0.4))
    scheduler.tell(told(overtaking, 0.3))
    (newcomer,) = scheduler.ask(1)
    assert short(newcomer) == (6, 0, 1)
    newcomers = [newcomer, *scheduler.ask(2)]
    for order, loss in zip(newcomers, (0.55, 0.2, 0.95), strict=True):
        scheduler.tell(told(order, loss))
    (up,) = scheduler.ask(1)
    assert short(up) == (7, 1, 3)  # nine told: 3, 7, 0 are the best, 7 has not gone on
    scheduler.tell(told(up, 0.35))
    (top,) = scheduler.ask(1)
    assert short(top) == (3, 3, 9)  # the higher rung comes first: three told, 3 is its best


def test_a_worker_is_never_idle_while_there_are_trials_to_start():
    assert len(asha(epochs=81, trials=500).ask(1_000)) == 500
    assert len(asha(epochs=81).ask(1_000)) == 1_000


def test_the_rung_of_the_dead_ranks_them_last():
    scheduler = asha(epochs=3, trials=3)
    orders = scheduler.ask(3)
    scheduler.tell(told(orders[0], 0.1, OutcomeStatus.DIVERGED))
    scheduler.tell(Outcome(orders[1], OutcomeStatus.FAILED))
    scheduler.tell(told(orders[2], 5.0))
    assert [short(order) for order in scheduler.ask(4)] == [(2, 1, 3)]


def test_in_the_end_one_trial_is_trained_to_the_last_epoch_however_few_there_are():
    trials = orders_by_trial(rehearse(asha(epochs=81, trials=2), workers=2))
    stops = sorted(orders[-1].stop for orders in trials.values())
    assert stops == [1, 81]


def test_brackets_begin_a_rung_higher_each_and_share_trials_as_hyperband_does():
    orders = asha(epochs=27, brackets=4).ask(490)
    stops = [order.stop for order in orders]
    assert [stops.count(stop) for stop in (1, 3, 9, 27)] == [270, 120, 60, 40]
    assert {1, 3, 9, 27} == set(stops[:25])


def test_a_grid_ends_an_endless_search():
    scheduler = Asha(Grid(Space(depth=Int(1, 30))), LOSS, epochs=9)
    record = rehearse(scheduler, workers=4)
    assert len(orders_by_trial(record)) == 30
    assert sum(isinstance(event, Order) and event.stop == 9 for event in record) >= 3


def test_asha_spends_a_fraction_of_the_epochs_of_training_everything():
    record = rehearse(asha(epochs=27, trials=200), workers=8)
    epochs = sum(event.epochs for event in record if isinstance(event, Order))
    assert 200 + 66 * 2 + 22 * 6 + 7 * 18 <= epochs < 0.2 * 200 * 27


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"epochs": 9, "trials": 0},
        {"epochs": 9, "eta": 1},
        {"epochs": 9, "min_epochs": 10},
        {"epochs": 9, "brackets": 0},
        {"epochs": 9, "brackets": 4},
    ],
)
def test_numbers_out_of_range_are_refused(settings):
    with pytest.raises(SearchError) as caught:
        asha(**settings)
    assert caught.value.where.startswith("Asha(epochs=")
