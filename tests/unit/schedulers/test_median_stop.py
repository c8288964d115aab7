import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Outcome, OutcomeStatus
from ripieno.schedulers import MedianStop
from ripieno.searchers import Random
from ripieno.testing import example_spaces, orders_by_trial, rehearse

LOSS = Objective("loss")


def stopper(objective=LOSS, **settings):
    return MedianStop(Random(example_spaces()["nested"], 5), objective, **settings)


def told(order, *rows, metric="loss"):
    return Outcome(order, OutcomeStatus.DONE, tuple({metric: row} for row in rows))


def first_step(scheduler, curves, metric="loss"):
    """Tell each of the first trials its first two epochs; return who goes on, in sequence."""
    for order, curve in zip(scheduler.ask(len(curves)), curves, strict=True):
        scheduler.tell(told(order, *curve, metric=metric))
    return [(o.trial, o.start, o.stop) for o in scheduler.ask(20) if o.start]


def test_the_rule_of_a_hand_worked_field():
    # Running means 1, 2, 3, 1.85 and 2.5; best values 0.5, 1, 2, 1.85 and 2.2.
    # Trial 3: 1.85 is not above 2, the median of (1, 2, 3): it goes on.
    # Trial 4: 2.2 is above 1.925, the median of (1, 2, 3, 1.85): it stops.
    curves = [(1.5, 0.5), (3.0, 1.0), (4.0, 2.0), (1.85, 1.85), (2.8, 2.2)]
    scheduler = stopper(epochs=6, trials=5, interval=2, min_trials=3)
    assert first_step(scheduler, curves) == [(0, 2, 4), (1, 2, 4), (2, 2, 4), (3, 2, 4)]


def test_where_more_is_better_the_rule_is_its_mirror_image():
    curves = [(-1.5, -0.5), (-3.0, -1.0), (-4.0, -2.0), (-1.85, -1.85), (-2.8, -2.2)]
    scheduler = stopper(
        Objective("accuracy", "maximize"), epochs=6, trials=5, interval=2, min_trials=3
    )
    assert [trial for trial, *_ in first_step(scheduler, curves, "accuracy")] == [0, 1, 2, 3]


def test_a_trial_as_good_as_the_median_goes_on():
    scheduler = stopper(epochs=6, trials=4, interval=2, min_trials=3)
    assert len(first_step(scheduler, [(1.0, 1.0)] * 4)) == 4


@pytest.mark.parametrize("settings", [{"min_trials": 5}, {"grace_epochs": 3, "min_trials": 3}])
def test_nobody_is_stopped_before_there_is_enough_to_compare(settings):
    curves = [(1.5, 0.5), (3.0, 1.0), (4.0, 2.0), (1.85, 1.85), (2.8, 2.2)]
    scheduler = stopper(epochs=6, trials=5, interval=2, **settings)
    assert len(first_step(scheduler, curves)) == 5


def test_the_dead_end_and_count_in_no_median():
    scheduler = stopper(epochs=4, trials=4, interval=2, min_trials=2)
    dead, *others = scheduler.ask(4)
    scheduler.tell(Outcome(dead, OutcomeStatus.DIVERGED, ({"loss": 1e9},)))
    for order, loss in zip(others, (1.0, 2.0, 1.6), strict=True):
        scheduler.tell(told(order, loss, loss))
    assert [order.trial for order in scheduler.ask(9)] == [1, 2]  # 1.6 is above 1.5


def test_trials_go_on_in_steps_up_to_the_last_epoch():
    trials = orders_by_trial(rehearse(stopper(epochs=7, trials=1, interval=3), workers=2))
    assert [(o.start, o.stop) for o in trials[0]] == [(0, 3), (3, 6), (6, 7)]


def test_about_half_of_the_trials_are_stopped_at_the_first_look():
    trials = orders_by_trial(rehearse(stopper(epochs=9, trials=400), workers=4)).values()
    stopped = sum(orders[-1].stop == 1 for orders in trials)
    assert 160 <= stopped <= 240
    assert sum(orders[-1].stop == 9 for orders in trials) >= 100


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"epochs": 9, "trials": 0},
        {"epochs": 9, "interval": 0},
        {"epochs": 9, "interval": 10},
        {"epochs": 9, "grace_epochs": -1},
        {"epochs": 9, "min_trials": 0},
    ],
)
def test_numbers_out_of_range_are_refused(settings):
    with pytest.raises(SearchError) as caught:
        stopper(**settings)
    assert caught.value.where.startswith("MedianStop(epochs=")
