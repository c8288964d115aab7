import itertools

import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Order
from ripieno.schedulers import Hyperband
from ripieno.searchers import Grid, Random
from ripieno.space import Int, Space
from ripieno.testing import Watched, curve, example_spaces, fate, orders_by_trial, rehearse

LOSS = Objective("loss")
BRACKETS = [((1, 3, 9, 27), 27), ((3, 9, 27), 12), ((9, 27), 6), ((27,), 4)]


def searcher():
    return Random(example_spaces()["nested"], 5)


def hyperband(**settings):
    return Hyperband(searcher(), LOSS, **settings)


def test_survivors_of_every_bracket_are_those_of_a_plain_implementation():
    configs = searcher().suggest(90)
    expected = {}
    for levels, size in itertools.cycle(BRACKETS):
        first = len(expected)
        if first == 90:
            break
        alive = list(range(first, min(first + size, 90)))
        expected |= {trial: [(0, levels[0])] for trial in alive}
        places = len(alive)
        for start, stop in itertools.pairwise(levels):
            places //= 3
            losses = {trial: curve(configs[trial], start)["loss"] for trial in alive}
            alive = sorted(alive, key=losses.get)[: max(places, 1)]
            for trial in alive:
                expected[trial].append((start, stop))
    trials = orders_by_trial(rehearse(hyperband(epochs=27, trials=90), workers=11))
    assert {
        trial: [(order.start, order.stop) for order in orders] for trial, orders in trials.items()
    } == expected


def test_continuing_survivors_saves_a_sixth_of_the_epochs_of_a_round():
    record = rehearse(hyperband(epochs=27, trials=49), workers=2)
    orders = [event for event in record if isinstance(event, Order)]
    from_scratch = (27 + 9 * 3 + 3 * 9 + 27) + (12 * 3 + 4 * 9 + 27) + (6 * 9 + 2 * 27) + 4 * 27
    continued = (27 + 9 * 2 + 3 * 6 + 18) + (12 * 3 + 4 * 6 + 18) + (6 * 9 + 2 * 18) + 4 * 27
    assert sum(order.stop for order in orders) == from_scratch == 423
    assert sum(order.epochs for order in orders) == continued == 357


def test_workers_are_never_idle_while_there_are_trials_to_start():
    assert len(hyperband(epochs=27, trials=300).ask(1_000)) == 300
    assert len(hyperband(epochs=27).ask(1_000)) == 1_000


def test_trials_enter_their_brackets_at_the_brackets_lowest_level():
    orders = hyperband(epochs=27).ask(60)
    assert [order.stop for order in orders] == [1] * 27 + [3] * 12 + [9] * 6 + [27] * 4 + [1] * 11


def test_planned_is_exact_with_a_number_of_trials_and_unknown_without():
    assert hyperband(epochs=81, trials=143).planned == 206
    assert hyperband(epochs=27, trials=60).planned == 40 + 17 + 8 + 4 + (11 + 3 + 1 + 1)
    assert hyperband(epochs=27).planned is None


def test_planned_is_what_was_given_in_the_end_though_trials_failed():
    scheduler = hyperband(epochs=27, trials=100)
    record = rehearse(scheduler, workers=9, ending=fate)
    assert scheduler.planned == sum(isinstance(event, Order) for event in record)


@pytest.mark.parametrize("count", [1, 27, 30, 49, 70])
def test_a_grid_ends_an_endless_hyperband(count):
    scheduler = Hyperband(Grid(Space(depth=Int(1, count))), LOSS, epochs=27)
    record = rehearse(scheduler, workers=4)
    assert len(orders_by_trial(record)) == count
    assert scheduler.planned == sum(isinstance(event, Order) for event in record)


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"epochs": 9, "trials": 0},
        {"epochs": 9, "eta": 1},
        {"epochs": 9, "min_epochs": 10},
    ],
)
def test_numbers_out_of_range_are_refused(settings):
    with pytest.raises(SearchError) as caught:
        hyperband(**settings)
    assert caught.value.where.startswith("Hyperband(epochs=")


def test_the_searcher_observes_every_rung_with_its_epochs_as_bohb_needs_it():
    watched = Watched(searcher())
    rehearse(Hyperband(watched, LOSS, epochs=9, trials=9 + 5 + 3), workers=1)
    rungs = [sorted({trial.epochs for trial in batch}) for batch in watched.observed]
    sizes = [len(batch) for batch in watched.observed]
    seen = sorted((tuple(epochs), size) for epochs, size in zip(rungs, sizes, strict=True))
    assert seen == [((1,), 9), ((3,), 3), ((3,), 5), ((9,), 1), ((9,), 1), ((9,), 3)]


def test_trials_with_a_head_start_go_to_the_end_at_once_and_the_others_as_ever():
    trials = orders_by_trial(rehearse(hyperband(epochs=27, trials=50, head_start=1), workers=3))
    found = {trial: [(o.start, o.stop) for o in orders] for trial, orders in trials.items()}
    assert found.pop(0) == [(0, 27)]
    assert [len(found[trial]) >= 1 and found[trial][0] for trial in (1, 27, 28, 40, 46)] == [
        (0, 1), (0, 1), (0, 3), (0, 9), (0, 27),
    ]  # fmt: skip
    assert (
        hyperband(epochs=27, trials=50, head_start=1).planned == sum(map(len, found.values())) + 1
    )
