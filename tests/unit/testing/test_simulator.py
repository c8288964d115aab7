import dataclasses
import itertools
import math
import subprocess
import sys

import pytest

from ripieno.errors import SearchError
from ripieno.records import Order, Outcome, OutcomeStatus
from ripieno.schedulers import Asha
from ripieno.searchers import Grid, Random
from ripieno.space import Float, Int, Space
from ripieno.testing import Problem, simulate

SPACE = Space(x=Float(0.0, 1.0))
INDEX = Space(index=Int(0, 9))
LEVELS = [5.0, 7.0, 4.0, math.nan, 6.0, 3.0, 8.0, 2.0, 9.0, 1.0]


def levels(epochs=1):
    """Ten configs in a row, of which number 3 diverges."""
    return Problem(
        name="levels",
        space=INDEX,
        measure=lambda config, epoch, _: LEVELS[config.index] + 1.0 / epoch,
        epochs=epochs,
    )


def valley(**settings):
    return Problem(
        name="valley",
        space=SPACE,
        measure=lambda config, epoch, repeat: (config.x - 0.3) ** 2 + repeat / 50 + 1.0 / epoch,
        epochs=9,
        repeats=3,
        seconds=lambda config: 1.0 + config.x,
        **settings,
    )


def rough(seed=0, **settings):
    return simulate(
        valley(), scheduler="asha", most_orders=600, workers=25, failures=0.1, lost=0.1,
        stragglers=0.1, tail=1.5, seed=seed, **settings,
    )  # fmt: skip


def grid_of_levels(**settings):
    return simulate(levels(**settings), searcher=Grid(INDEX))


def test_the_curve_holds_every_improvement_and_what_had_been_spent():
    done = grid_of_levels()
    found = [(each.trial, each.value, each.evaluations) for each in done.incumbents]
    assert found == [(0, 6.0, 1), (2, 5.0, 3), (5, 4.0, 6), (7, 3.0, 8), (9, 2.0, 10)]
    # The training that diverged has spent its second, and no epoch that counts.
    assert [(each.epochs, each.seconds) for each in done.incumbents][-1] == (9, 10.0)
    assert done.ends == {OutcomeStatus.DONE: 9, OutcomeStatus.DIVERGED: 1}
    assert (done.best.config.index, done.best.epoch) == (9, 1)


def test_the_best_after_so_much_is_read_off_on_each_axis():
    done = grid_of_levels(epochs=2)
    assert done.best_after([1, 4, 6, 99]) == [5.5, 4.5, 3.5, 1.5]
    assert done.best_after([2, 8, 10], axis="epochs") == [5.5, 4.5, 3.5]
    assert done.best_after([2.0, 11.9, 12.0], axis="seconds") == [5.5, 4.5, 3.5]
    assert math.isnan(done.best_after([0])[0])


def test_a_best_value_in_the_middle_of_a_training_is_found_at_its_epoch():
    dips = Problem(
        name="dip", space=INDEX, epochs=4, measure=lambda c, epoch, _: abs(epoch - 2.0) + c.index
    )
    best = simulate(dips, trials=1).best
    assert (best.epoch, best.epochs, best.evaluations) == (2, 4, 1)


def test_a_simulation_is_a_function_of_its_arguments():
    first, again, other = rough(), rough(), rough(seed=1)
    assert first.record == again.record != other.record
    assert first.incumbents == again.incumbents
    assert first.utilisation == again.utilisation


def test_everything_that_goes_wrong_goes_wrong_as_often_as_it_was_said():
    done = rough()
    outcomes = [event for _, event in done.record if isinstance(event, Outcome)]
    assert len(outcomes) == sum(done.ends.values()) == done.orders == 600
    assert done.ends[OutcomeStatus.FAILED] / 600 == pytest.approx(0.1, abs=0.04)
    assert done.lost / 600 == pytest.approx(0.1 / 0.9, abs=0.04)
    paces = [o.seconds / o.order.epochs / (1.0 + o.order.config.x) for o in outcomes]
    assert sum(pace > 9.99 for pace in paces) / 600 == pytest.approx(0.1, abs=0.05)
    assert max(paces) > 30.0, "a heavy tail"


def test_orders_are_given_in_time_and_only_while_a_worker_is_free():
    done, out = rough(), 0
    assert [clock for clock, _ in done.record] == sorted(clock for clock, _ in done.record)
    for _, event in done.record:
        out += 1 if isinstance(event, Order) else -1
        assert 0 <= out <= 25
    assert done.utilisation == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("limit", "spent"),
    [({"most_epochs": 40}, "epochs"), ({"most_seconds": 40.0}, "supplied_seconds")],
)
def test_no_order_is_given_beyond_a_limit(limit, spent):
    done = simulate(valley(), scheduler="asha", workers=3, **limit)
    (most,) = limit.values()
    orders = [event for _, event in done.record if isinstance(event, Order)]
    assert done.orders == len(orders) == sum(done.ends.values())
    last = orders[-1].epochs if spent == "epochs" else 0
    assert most - 9 <= getattr(done, spent) - last < most


def test_a_scheduler_of_ones_own_is_simulated_as_it_is():
    problem = valley()
    own = Asha(Random(SPACE, 4), problem.objective, epochs=9, trials=30)
    named = simulate(problem, scheduler=own, seed=4)
    assert (
        next(e for _, e in named.record if isinstance(e, Order)).config.x
        == Random(SPACE, 4).suggest(1)[0].x
    )


@pytest.mark.parametrize("scheduler", ["full", "halving", "hyperband", "median", "freezethaw"])
def test_every_scheduler_finds_a_valley(scheduler):
    done = simulate(valley(), searcher="sobol", scheduler=scheduler, trials=40, workers=4)
    # The luck of a repeat is worth 0.04.
    assert done.best.config.x == pytest.approx(0.3, abs=0.2)
    values = [each.value for each in done.incumbents]
    assert all(after < before for before, after in itertools.pairwise(values))


def test_a_search_that_nothing_ends_is_refused_and_a_grid_ends_by_itself():
    with pytest.raises(SearchError, match="nothing limits the search"):
        simulate(levels())
    assert simulate(levels(), searcher="grid").orders == 10


def test_without_a_record_the_rest_is_the_same():
    kept, bare = rough(), rough(keep_record=False)
    assert bare.record == []
    fields = {"record", "looks", "ask_seconds"}
    names = [f.name for f in dataclasses.fields(kept) if f.name not in fields]
    assert [getattr(kept, name) for name in names] == [getattr(bare, name) for name in names]


def test_the_simulator_needs_no_pytest():
    code = (
        "import sys; from ripieno.testing import simulate, Problem; print('pytest' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
