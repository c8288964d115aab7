"""Schedulers that are given more to do when they have ended."""

import pytest

from ripieno.records import Objective, Outcome
from ripieno.schedulers import (
    Asha,
    Extendable,
    FreezeThaw,
    FullBudget,
    Hyperband,
    MedianStop,
    PopulationBased,
    SuccessiveHalving,
)
from ripieno.searchers import Grid, Random
from ripieno.space import Float, Int, Space
from ripieno.testing import rehearse

SPACE = Space(x=Float(0.0, 1.0))
LOSS = Objective("loss")
KINDS = {
    "full": lambda searcher, trials: FullBudget(searcher, epochs=3, trials=trials),
    "halving": lambda searcher, trials: SuccessiveHalving(searcher, LOSS, epochs=9, trials=trials),
    "hyperband": lambda searcher, trials: Hyperband(searcher, LOSS, epochs=9, trials=trials),
    "asha": lambda searcher, trials: Asha(searcher, LOSS, epochs=9, trials=trials),
    "median": lambda searcher, trials: MedianStop(searcher, LOSS, epochs=9, trials=trials),
    "freezethaw": lambda searcher, trials: FreezeThaw(searcher, LOSS, epochs=9, trials=trials),
}


def begun(record):
    return len({event.order.trial for event in record if isinstance(event, Outcome)})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [1, 4])
def test_an_ended_search_goes_on_to_the_larger_number_of_trials(kind, workers):
    scheduler = KINDS[kind](Random(SPACE, seed=1), 11)
    assert isinstance(scheduler, Extendable)
    first = rehearse(scheduler, workers=workers)
    assert begun(first) == 11
    scheduler.extend(25)
    more = rehearse(scheduler, workers=workers)
    new = {event.order.trial for event in more if isinstance(event, Outcome)}
    assert set(range(11, 25)) <= new
    assert max(new) == 24
    if scheduler.planned is not None:
        orders = [event for event in (*first, *more) if isinstance(event, Outcome)]
        assert scheduler.planned == len(orders)


@pytest.mark.parametrize("kind", KINDS)
def test_a_searcher_that_had_no_more_is_asked_again(kind):
    class Refilled(Grid):
        def refill(self, space):
            self._configs = space.grid()

    searcher = Refilled(Space(n=Int(1, 5)))
    scheduler = KINDS[kind](searcher, 9)
    assert begun(rehearse(scheduler, workers=2)) == 5
    searcher.refill(Space(n=Int(6, 30)))
    assert begun(rehearse(scheduler, workers=2)) == 0
    scheduler.extend()
    new = {e.order.trial for e in rehearse(scheduler, workers=2) if isinstance(e, Outcome)}
    assert max(new) == 8


def test_hyperband_goes_on_with_the_bracket_after_the_one_that_was_cut():
    scheduler = Hyperband(Random(SPACE), LOSS, epochs=9, trials=11)  # of 9 and of 5, cut to 2
    rehearse(scheduler, workers=1)
    scheduler.extend(19)
    starts = [order for order in scheduler.ask(30) if order.start == 0]
    assert [order.stop for order in starts] == [9, 9, 9, 1, 1, 1, 1, 1]


def test_a_population_cannot_be_extended():
    population = PopulationBased(Random(SPACE), LOSS, space=SPACE, epochs=9)
    assert not isinstance(population, Extendable)
