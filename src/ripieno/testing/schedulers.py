"""What every scheduler must keep to."""

from collections.abc import Iterable
from typing import ClassVar

import pytest

from ripieno.records import Metrics, Objective, Order, Outcome, OutcomeStatus
from ripieno.schedulers import Concluding, Scheduler
from ripieno.searchers import Grid, Random, Searcher
from ripieno.testing.learner import Learner
from ripieno.testing.simulation import (
    OBJECTIVE,
    Event,
    carry_out,
    fate,
    orders_by_trial,
    rehearse,
)
from ripieno.testing.spaces import example_spaces, finite_spaces
from ripieno.testing.watched import Watched

__all__ = ["SchedulerContract"]

_OBJECTIVES = {
    "minimize": OBJECTIVE,
    "maximize": Objective("accuracy", "maximize"),
    "ties": Objective("coarse"),
}


class SchedulerContract:
    """Tests that a scheduler keeps the protocol, on simulated workers.

    Inherit from it in a class whose name begins with ``Test``, and say how to make the
    scheduler: with an end, and with 20 to 200 trials.

    Attributes:
        synchronous: Whether every trial gets the same orders whatever the order in which
            outcomes arrive. Set it to False for an asynchronous scheduler.
        forks: Whether a fork takes the place of a trial that died.

    Example:
        >>> class TestHyperband(SchedulerContract):
        ...     def make(self, searcher, objective):
        ...         return Hyperband(searcher, objective, epochs=27, trials=60)
    """

    synchronous: ClassVar[bool] = True
    forks: ClassVar[bool] = False

    def make(self, searcher: Searcher, objective: Objective) -> Scheduler:
        """Return a fresh scheduler that owns the searcher."""
        raise NotImplementedError

    @pytest.fixture(params=sorted(_OBJECTIVES))
    def objective(self, request: pytest.FixtureRequest) -> Objective:
        """Return an objective of each direction, and one that makes many trials equal."""
        return _OBJECTIVES[request.param]

    # Mother test 4 of the project.
    def test_same_seed_and_same_outcomes_give_the_same_orders_on_any_number_of_workers(
        self, objective: Objective
    ) -> None:
        """Neither the arrival of outcomes nor the number of slots changes a trial."""
        reference = orders_by_trial(rehearse(self._fresh(objective), workers=1, ending=fate))
        for workers, seed in [(1, 0), (1, 1), (2, 2), (3, 3), (8, 4), (8, 5), (200, 6)]:
            if workers > 1 and not self.synchronous:
                continue
            record = rehearse(self._fresh(objective), workers=workers, seed=seed, ending=fate)
            assert orders_by_trial(record) == reference

    # Mother test 3 of the project.
    @pytest.mark.parametrize("workers", [1, 4, 30])
    @pytest.mark.parametrize("most", [1, 20, 55, 90, 10_000])
    def test_a_scheduler_rebuilt_from_the_record_gives_the_same_next_orders(
        self, workers: int, most: int
    ) -> None:
        """Replay is live, also for a searcher that depends on all it observes."""
        live = self._learning()
        record = rehearse(live, workers=workers, seed=workers, ending=fate, most=most)
        rebuilt = self._learning()
        _replay(rebuilt, record)
        assert rebuilt.ask(9) == live.ask(9)
        assert rebuilt.planned == live.planned

    @pytest.mark.parametrize("most", [0, 13, 47, 80])
    def test_asking_twice_equals_asking_once_for_both(self, most: int) -> None:
        """``ask(a)`` and then ``ask(b)`` equals ``ask(a + b)``."""
        whole, parts = self._learning(), self._learning()
        record = rehearse(whole, workers=6, seed=most, ending=fate, most=most)
        _replay(parts, record)
        assert parts.ask(0) == []
        assert [*parts.ask(2), *parts.ask(1), *parts.ask(4)] == whole.ask(7)

    def test_every_order_starts_where_its_trial_stands(self, objective: Objective) -> None:
        """Trials continue and never restart, one order at a time."""
        record = rehearse(self._fresh(objective), workers=5, seed=1, ending=fate)
        reached: dict[int, int] = {}
        out: set[int] = set()
        for event in record:
            if isinstance(event, Order):
                source = event.trial if event.parent is None else event.parent
                assert event.start == reached.get(source, 0)
                assert source == event.trial or event.trial not in reached
                assert event.state is None
                assert event.trial not in out
                out.add(event.trial)
            else:
                out.remove(event.order.trial)
                reached[event.order.trial] = event.order.stop

    def test_epochs_add_up_to_where_each_trial_ends(self) -> None:
        """No epoch of a trial is trained twice and none is left out."""
        for orders in orders_by_trial(rehearse(self._fresh(), workers=5, seed=2)).values():
            assert sum(order.epochs for order in orders) == orders[-1].stop - orders[0].start

    def test_a_trial_that_is_over_is_never_ordered_again(self) -> None:
        """Nor copied: its state may be gone."""
        record = rehearse(self._fresh(), workers=6, seed=8, ending=fate)
        scheduler = self._fresh()
        over: set[int | None] = set()
        begun = 0
        for event in record:
            if isinstance(event, Order):
                assert event.trial not in over
                assert event.parent not in over
                assert scheduler.ask(1) == [event]
                begun = max(begun, event.trial + 1)
            else:
                scheduler.tell(event)
            if isinstance(scheduler, Concluding):
                over |= {trial for trial in range(begun) if scheduler.is_over(trial)}
                assert not scheduler.is_over(begun)
        assert bool(over) is isinstance(scheduler, Concluding)

    def test_trials_are_numbered_from_zero_in_the_order_of_creation(self) -> None:
        """The first order of each trial comes in the sequence of the numbers."""
        trials = orders_by_trial(rehearse(self._fresh(), workers=7, seed=3))
        assert list(trials) == list(range(len(trials)))

    def test_a_trial_keeps_its_config(self) -> None:
        """Trial ``i`` has suggestion ``i`` of the searcher in all of its orders."""
        trials = orders_by_trial(rehearse(self._fresh(), workers=7, seed=4))
        suggestions = self._random().suggest(len(trials))
        for number, orders in trials.items():
            if all(order.parent is None for order in orders):
                assert {order.config for order in orders} == {suggestions[number]}

    def test_a_search_ends_and_stays_ended(self) -> None:
        """No orders and none out: it is over."""
        scheduler = self._fresh()
        rehearse(scheduler, workers=4)
        assert scheduler.ask(10) == []
        assert scheduler.ask(1) == []

    def test_planned_is_the_number_of_orders_that_are_given(self) -> None:
        """From the first where nothing fails, and in the end where something did."""
        scheduler = self._fresh()
        promised = scheduler.planned
        given = sum(isinstance(event, Order) for event in rehearse(scheduler, workers=3, seed=5))
        assert promised in {None, given}
        assert scheduler.planned in {None, given}
        scheduler = self._fresh()
        record = rehearse(scheduler, workers=3, seed=5, ending=fate)
        assert scheduler.planned in {None, sum(isinstance(event, Order) for event in record)}

    def test_failed_and_diverged_trials_do_not_stop_the_search(self) -> None:
        """They end alone: as many trials are started, and no dead one is ordered or copied."""
        record = rehearse(self._fresh(), workers=4, seed=6, ending=fate)
        healthy = rehearse(self._fresh(), workers=4, seed=6)
        started = len(orders_by_trial(healthy))
        if self.forks:
            assert len(orders_by_trial(record)) >= started
        else:
            assert len(orders_by_trial(record)) == started
        dead: set[int] = set()
        for event in record:
            if isinstance(event, Outcome) and event.status is not OutcomeStatus.DONE:
                dead.add(event.order.trial)
            elif isinstance(event, Order):
                assert event.trial not in dead
                assert event.parent not in dead
        assert dead

    @pytest.mark.parametrize("longest", [1, 2])
    def test_trials_that_end_early_are_done_and_judged_by_their_last_epoch(
        self, longest: int
    ) -> None:
        """An order may be done with fewer rows than epochs, and a later one with none."""
        record = rehearse(self._fresh(), workers=4, seed=9, longest=longest)
        reached: dict[int, int] = {}
        for event in record:
            if isinstance(event, Order):
                assert event.parent is not None or event.start in {
                    reached.get(event.trial, 0),
                    min(reached.get(event.trial, 0), longest),
                }
            else:
                reached[event.order.trial] = event.order.stop
        assert all(len(event.metrics) <= longest for event in record if isinstance(event, Outcome))
        again = rehearse(self._fresh(), workers=1, longest=longest)
        if self.synchronous:
            assert orders_by_trial(record) == orders_by_trial(again)

    @pytest.mark.parametrize("status", [OutcomeStatus.FAILED, OutcomeStatus.DIVERGED])
    def test_a_search_in_which_everything_dies_ends(self, status: OutcomeStatus) -> None:
        """Every trial is tried once, and then it is over."""
        record = rehearse(self._fresh(), workers=4, ending=lambda _: status)
        assert all(len(orders) == 1 for orders in orders_by_trial(record).values())

    def test_an_exhausted_searcher_ends_the_search(self) -> None:
        """Every config of a grid becomes a trial, and the best are still trained on."""
        space = finite_spaces()["finite"]
        configs = Grid(space).suggest(1_000)
        runs = []
        for workers in (1, 5, 50):
            scheduler = self.make(Grid(space), OBJECTIVE)
            runs.append(orders_by_trial(rehearse(scheduler, workers=workers, seed=workers)))
            begun = [orders[0] for orders in runs[-1].values() if orders[0].parent is None]
            assert [order.config for order in begun] == configs
            assert scheduler.ask(3) == []
        if self.synchronous:
            assert runs[0] == runs[1] == runs[2]

    def test_the_searcher_observes_every_outcome_in_the_order_of_the_trials(self) -> None:
        """Each trial as often as it was told, with all epochs it was trained for."""
        watched = Watched(self._random())
        record = rehearse(self.make(watched, OBJECTIVE), workers=9, seed=8, ending=fate)
        rows: dict[int, tuple[Metrics, ...]] = {}
        expected: dict[int, list[tuple[Metrics, ...]]] = {}
        for event in record:
            if isinstance(event, Outcome):
                number = event.order.trial
                rows[number] = rows.get(number, ()) + event.metrics
                expected.setdefault(number, []).append(rows[number])
        observed: dict[int, list[tuple[Metrics, ...]]] = {}
        for trials in watched.observed:
            numbers = [trial.id for trial in trials]
            assert numbers == sorted(set(numbers))
            for trial in trials:
                observed.setdefault(trial.id, []).append(trial.history)
        assert observed == expected

    def test_a_stopped_outcome_and_a_strange_one_are_refused(self) -> None:
        """Neither is the end of an order that is out."""
        scheduler = self._fresh()
        order = scheduler.ask(1)[0]
        strange = self._fresh().ask(2)[1]
        with pytest.raises(ValueError, match="not final"):
            scheduler.tell(Outcome(order, OutcomeStatus.STOPPED))
        with pytest.raises(ValueError, match="is out"):
            scheduler.tell(carry_out(strange))
        scheduler.tell(carry_out(order))
        with pytest.raises(ValueError, match="is out"):
            scheduler.tell(carry_out(order))

    def _fresh(self, objective: Objective = OBJECTIVE) -> Scheduler:
        return self.make(self._random(), objective)

    def _random(self) -> Searcher:
        return Random(example_spaces()["nested"], seed=11)

    def _learning(self) -> Scheduler:
        return self.make(Learner(example_spaces()["mixed"], seed=12), OBJECTIVE)


def _replay(scheduler: Scheduler, record: Iterable[Event]) -> None:
    """Walk a fresh scheduler through a record, one order at a time."""
    for event in record:
        if isinstance(event, Order):
            assert scheduler.ask(1) == [event]
        else:
            scheduler.tell(event)
