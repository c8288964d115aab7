import math

import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Order, Outcome, OutcomeStatus
from ripieno.schedulers import PopulationBased
from ripieno.searchers import Grid, Random
from ripieno.space import Categorical, Float, Int, Space
from ripieno.testing import fate, orders_by_trial, rehearse

LOSS = Objective("loss")
SPACE = Space(lr=Float(1e-3, 1.0, log=True), width=Int(8, 64), act=Categorical("relu", "gelu"))


def pbt(searcher=None, **settings):
    return PopulationBased(searcher or Random(SPACE, 5), LOSS, space=SPACE, **settings)


def told(order, loss, status=OutcomeStatus.DONE):
    return Outcome(order, status, ({"loss": loss},) * order.epochs)


def generation(scheduler, losses):
    """Tell a generation's losses, by the sequence of its orders, last one first."""
    orders = scheduler.ask(99)
    for order, loss in reversed(list(zip(orders, losses, strict=True))):
        dead = OutcomeStatus.DIVERGED if math.isnan(loss) else OutcomeStatus.DONE
        scheduler.tell(told(order, loss, dead))
    return orders


def test_truncation_selection_of_a_hand_made_generation():
    scheduler = pbt(epochs=6, population=10, interval=2)
    first = generation(scheduler, [0.5, 0.9, 0.1, 0.4, 0.3, 0.2, 0.8, 0.7, 0.6, 1.0])
    assert [(o.trial, o.start, o.stop, o.parent) for o in first] == [
        (trial, 0, 2, None) for trial in range(10)
    ]
    second = scheduler.ask(99)
    # A fifth of ten: trials 9 and 1 are given up, and copies of 2 or 5 take their places.
    forks = [o for o in second if o.parent is not None]
    assert [(o.trial, o.start, o.stop) for o in forks] == [(10, 2, 4), (11, 2, 4)]
    assert {o.parent for o in forks} <= {2, 5}
    assert second[:2] == forks, "forks come first, while their parents stand where they do"
    rest = [(o.trial, o.start, o.stop) for o in second[2:]]
    assert rest == [(trial, 2, 4) for trial in (0, 2, 3, 4, 5, 6, 7, 8)]


def test_a_fork_keeps_its_parents_architecture_and_changes_its_real_numbers():
    scheduler = pbt(epochs=4, population=10, interval=2, resample=0.0)
    configs = {o.trial: o.config for o in generation(scheduler, [i / 10 for i in range(10)])}
    for fork in scheduler.ask(2):
        parent = configs[fork.parent]
        assert (fork.config.width, fork.config.act) == (parent.width, parent.act)
        ratio = fork.config.lr / parent.lr
        assert min(abs(ratio - 0.8), abs(ratio - 1.2)) < 1e-6 or fork.config.lr in {1e-3, 1.0}


def test_what_may_change_is_what_was_named():
    scheduler = pbt(epochs=4, population=10, interval=2, changed={"width"}, resample=0.0)
    configs = {o.trial: o.config for o in generation(scheduler, [i / 10 for i in range(10)])}
    for fork in scheduler.ask(2):
        assert fork.config.lr == configs[fork.parent].lr
        assert fork.config.width != configs[fork.parent].width


def test_the_dead_are_replaced_before_anybody_who_is_healthy():
    scheduler = pbt(epochs=4, population=5, interval=2)
    generation(scheduler, [math.nan, 0.3, math.nan, 0.1, math.nan])
    second = scheduler.ask(9)
    assert [(o.trial, o.parent) for o in second] == [(5, 3), (6, 3), (7, 3), (1, None), (3, None)]


def test_a_population_without_survivors_ends():
    scheduler = pbt(epochs=9, population=4, interval=3)
    assert scheduler.planned == 12
    generation(scheduler, [math.nan] * 4)
    assert scheduler.ask(9) == []
    assert scheduler.planned == 4


def test_the_last_generation_is_as_short_as_it_must_be():
    record = rehearse(pbt(epochs=7, population=4, interval=3), workers=3)
    stops = [event.stop for event in record if isinstance(event, Order)]
    assert sorted(stops) == [3] * 4 + [6] * 4 + [7] * 4


def test_every_generation_has_as_many_orders_though_members_die():
    scheduler = pbt(epochs=8, population=12, interval=1)
    record = rehearse(scheduler, workers=5, ending=fate)
    stops = [event.stop for event in record if isinstance(event, Order)]
    assert [stops.count(stop) for stop in range(1, 9)] == [12] * 8
    assert scheduler.planned == 96


def test_a_short_grid_makes_a_small_population():
    space = Space(depth=Int(1, 3))
    for workers in (1, 3, 20):
        scheduler = PopulationBased(
            Grid(space), LOSS, space=space, epochs=4, population=10, interval=2
        )
        record = rehearse(scheduler, workers=workers)
        stops = [event.stop for event in record if isinstance(event, Order)]
        assert sorted(stops) == [2] * 3 + [4] * 3
        assert scheduler.planned == 6


def test_the_seed_decides_parents_and_changes():
    records = [
        orders_by_trial(rehearse(pbt(epochs=6, population=10, seed=seed), workers=3))
        for seed in (1, 1, 2)
    ]
    assert records[0] == records[1] != records[2]


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"epochs": 9, "population": 1},
        {"epochs": 9, "interval": 10},
        {"epochs": 9, "quantile": 0.6},
        {"epochs": 9, "resample": math.nan},
        {"epochs": 9, "seed": -1},
        {"epochs": 9, "changed": {"momentum"}},
    ],
)
def test_numbers_out_of_range_and_unknown_names_are_refused(settings):
    with pytest.raises(SearchError) as caught:
        pbt(**settings)
    assert caught.value.where.startswith("PopulationBased(epochs=")


def test_a_fork_of_a_trial_that_ended_early_stands_where_its_parent_stands():
    scheduler = pbt(epochs=6, population=5, interval=2)
    generation(scheduler, [0.5, 0.1, 0.3, 0.2, 0.4])
    second = scheduler.ask(9)
    assert (second[0].trial, second[0].parent) == (5, 1)
    for order, loss in zip(second[1:], (0.45, 0.35, 0.25, 0.15), strict=True):
        scheduler.tell(told(order, loss))
    scheduler.tell(Outcome(second[0], OutcomeStatus.DONE))  # no rows: its parent had 0.1
    third = scheduler.ask(9)
    assert {order.parent for order in third} == {None, 5}
