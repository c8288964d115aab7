"""What every record of a study must keep to."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ripieno.errors import LedgerError
from ripieno.ledger import Ledger
from ripieno.records import Change, Config, Metrics, Order, Outcome, OutcomeStatus, TrialStatus

__all__ = ["LedgerContract"]

_SETTINGS = {"seed": 3, "space": {"version": 1}, "minutes": None, "tags": ["a", "ä"]}
_CONFIG = Config({"lr": 0.1, "depth": 3, "name": "ä", "flag": True, "momentum": None})

DONE = OutcomeStatus.DONE
STOPPED = OutcomeStatus.STOPPED


def _order(trial: int, start: int, stop: int, **more: Any) -> Order:
    return Order(trial, Config({"x": float(trial)}), start, stop, **more)


def _rows(first: int, last: int) -> tuple[Metrics, ...]:
    return tuple({"loss": 1.0 / epoch, "accuracy": 0.5} for epoch in range(first, last + 1))


def _outcome(order: Order, status: OutcomeStatus = DONE, **more: Any) -> Outcome:
    rows = more.pop("metrics", _rows(order.start + 1, order.stop))
    return Outcome(order, status, metrics=rows, **{"seconds": 1.0, **more})


class LedgerContract:
    """Tests that a ledger gives back what was recorded, live and after it was opened again.

    Inherit from it in a class whose name begins with ``Test``, and say how to make one.

    Example:
        >>> class TestSqlLedger(LedgerContract):
        ...     def create(self, folder, settings):
        ...         return SqlLedger.create(folder / "study.db", settings)
        ...
        ...     def reopen(self, ledger, folder):
        ...         ledger.close()
        ...         return SqlLedger.open(folder / "study.db")
    """

    def create(self, folder: Path, settings: Mapping[str, Any]) -> Ledger:
        """Return the ledger of a new study; ``folder`` is empty."""
        raise NotImplementedError

    def reopen(self, ledger: Ledger, folder: Path) -> Ledger:
        """Return the same study as a new process would see it; the old object is done with."""
        raise NotImplementedError

    @pytest.fixture(params=["live", "reopened"])
    def again(self, request: pytest.FixtureRequest) -> bool:
        """Say whether a test looks at the ledger that wrote, or at one opened afterwards."""
        return bool(request.param == "reopened")

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Ledger]:
        """Return the ledger of a new study."""
        ledger = self.create(tmp_path, _SETTINGS)
        yield ledger
        ledger.close()

    @pytest.fixture
    def look(self, ledger: Ledger, tmp_path: Path, again: bool) -> Iterator[Any]:  # noqa: FBT001 - a fixture
        """Return a function that gives the ledger to look at."""
        opened: list[Ledger] = []

        def look() -> Ledger:
            if again and not opened:
                opened.append(self.reopen(ledger, tmp_path))
            return opened[0] if opened else ledger

        yield look
        for other in opened:
            other.close()

    def test_settings_stay_as_they_were_given(self, look: Any) -> None:
        """All of JSON."""
        assert dict(look().settings) == _SETTINGS

    def test_a_new_study_is_empty(self, look: Any) -> None:
        """No events, no trials, no time."""
        assert list(look().events()) == []
        assert look().trials() == []
        assert look().open_orders() == []
        assert look().clock == 0.0

    def test_events_come_in_the_sequence_in_which_they_were_recorded(
        self, ledger: Ledger, look: Any
    ) -> None:
        """Outcomes before orders within one call, whatever the numbers of the trials."""
        first, second, third = _order(0, 0, 2), _order(1, 0, 3), _order(0, 2, 4)
        done = [_outcome(second, state="s1", predictions="p1", notes="width 4"), _outcome(first)]
        ledger.record(orders=[first, second], clock=1.0)
        ledger.record(outcomes=done, orders=[third], clock=2.0)
        ledger.record(outcomes=[_outcome(third)], clock=3.0)
        assert list(look().events()) == [first, second, *done, third, _outcome(third)]

    def test_events_know_no_stored_state(self, ledger: Ledger, look: Any) -> None:
        """Orders come as the scheduler gave them."""
        order = _order(0, 0, 2, state="trial-9-state")
        ledger.record(orders=[order])
        told = ledger.record(outcomes=[_outcome(order)])
        plain = _order(0, 0, 2)
        assert told == [_outcome(plain)]
        assert list(look().events()) == [plain, _outcome(plain)]

    def test_a_config_comes_back_with_its_types_and_sequence(
        self, ledger: Ledger, look: Any
    ) -> None:
        """True is not 1, 3 is not 3.0."""
        ledger.record(orders=[Order(0, _CONFIG, 0, 1)])
        config = look().trials()[0].config
        assert list(config.items()) == list(_CONFIG.items())
        assert [type(value) for value in config.values()] == [float, int, str, bool, type(None)]

    def test_numbers_survive_exactly(self, ledger: Ledger, look: Any) -> None:
        """The last bit, the smallest number, infinities and NaN."""
        row = {"a": 0.1 + 0.2, "b": 5e-324, "c": -0.0, "d": math.inf, "e": -math.inf, "f": 1e308}
        order = _order(0, 0, 1)
        ledger.record(orders=[order])
        ledger.record(outcomes=[_outcome(order, metrics=({**row, "nan": math.nan},))])
        (outcome,) = list(look().events())[1:]
        for found in (look().trials()[0].metrics, outcome.metrics[0]):
            assert {name: value.hex() for name, value in found.items() if name != "nan"} == {
                name: value.hex() for name, value in row.items()
            }
            assert math.isnan(found["nan"])

    def test_the_clock_is_that_of_the_last_record_and_never_goes_back(
        self, ledger: Ledger, look: Any
    ) -> None:
        """A record may hold nothing but the time."""
        ledger.record(orders=[_order(0, 0, 1)], clock=2.5)
        assert ledger.clock == 2.5
        ledger.record(clock=7.25)
        ledger.record(outcomes=[_outcome(_order(0, 0, 1))])
        assert look().clock == 7.25

    def test_an_order_without_an_outcome_is_open(self, ledger: Ledger, look: Any) -> None:
        """With the state that its trial left."""
        first, other = _order(0, 0, 2), _order(1, 0, 2)
        ledger.record(orders=[first, other])
        ledger.record(outcomes=[_outcome(first, state="s0")], orders=[_order(0, 2, 6)])
        assert look().open_orders() == [other, _order(0, 2, 6, state="s0")]

    def test_a_trial_is_as_far_as_its_outcomes(self, ledger: Ledger, look: Any) -> None:
        """Rows of all orders, seconds summed, keys of the last outcome that had any."""
        first, second = _order(0, 0, 2), _order(0, 2, 3)
        ledger.record(orders=[first])
        ledger.record(
            outcomes=[_outcome(first, seconds=1.5, state="s2", predictions="p2", notes="a")],
            orders=[second],
            clock=4.0,
        )
        (trial,) = look().trials()
        assert trial.status is TrialStatus.RUNNING
        look().record(outcomes=[_outcome(second, seconds=0.25, state="s3", notes="b")], clock=5.0)
        (trial,) = look().trials()
        assert trial.status is TrialStatus.PAUSED
        assert trial.history == _rows(1, 3)
        assert (trial.first_epoch, trial.parent, trial.epochs) == (0, None, 3)
        assert (trial.seconds, trial.finished_at) == (1.75, 5.0)
        assert (trial.state, trial.predictions, trial.notes) == ("s3", "p2", "b")
        assert look().open_orders() == []

    def test_a_trial_without_an_outcome_is_running_since_no_time(
        self, ledger: Ledger, look: Any
    ) -> None:
        """It has no rows, no keys and no end."""
        ledger.record(orders=[_order(0, 0, 2)], clock=3.0)
        (trial,) = look().trials()
        assert trial.status is TrialStatus.RUNNING
        assert (trial.history, trial.seconds, trial.state) == ((), 0.0, None)
        assert math.isnan(trial.finished_at)

    @pytest.mark.parametrize("status", [OutcomeStatus.FAILED, OutcomeStatus.DIVERGED])
    def test_a_bad_end_is_kept_with_its_rows_and_its_error(
        self, ledger: Ledger, look: Any, status: OutcomeStatus
    ) -> None:
        """And with the state of the order before, which was good."""
        first, second = _order(0, 0, 2), _order(0, 2, 9)
        ledger.record(orders=[first])
        ledger.record(outcomes=[_outcome(first, state="s2")], orders=[second])
        bad = _outcome(second, status, metrics=_rows(3, 5), error="it broke\nhere")
        assert ledger.record(outcomes=[bad]) == [bad]
        (trial,) = look().trials()
        assert trial.status is TrialStatus(status.value)
        assert (trial.error, trial.state) == ("it broke\nhere", "s2")
        assert trial.history == _rows(1, 5)
        assert list(look().events())[-1] == bad
        assert look().open_orders() == []

    def test_a_fork_begins_where_its_parent_stood(self, ledger: Ledger, look: Any) -> None:
        """Its history holds its own rows, its order the parent's state."""
        parent, fork = _order(0, 0, 4), _order(1, 4, 6, parent=0)
        ledger.record(orders=[parent])
        ledger.record(outcomes=[_outcome(parent, state="s4")], orders=[fork])
        assert ledger.open_orders() == [_order(1, 4, 6, parent=0, state="s4")]
        ledger.record(outcomes=[_outcome(fork, state="f6")])
        trial = look().trials()[1]
        assert (trial.parent, trial.first_epoch, trial.epochs) == (0, 4, 6)
        assert trial.history == _rows(5, 6)
        assert list(look().events())[-2:] == [fork, _outcome(fork, state="f6")]

    def test_an_open_fork_keeps_the_state_that_its_parent_had(
        self, ledger: Ledger, look: Any
    ) -> None:
        """The parent may train on before the fork begins."""
        parent, fork, later = _order(0, 0, 4), _order(1, 4, 6, parent=0), _order(0, 4, 8)
        ledger.record(orders=[parent])
        ledger.record(outcomes=[_outcome(parent, state="s4")], orders=[fork, later])
        ledger.record(outcomes=[_outcome(later, state="s8")])
        assert look().open_orders() == [_order(1, 4, 6, parent=0, state="s4")]

    def test_a_stopped_order_stays_open_from_its_stored_state_on(
        self, ledger: Ledger, look: Any
    ) -> None:
        """It is no event, and its rows are kept."""
        order = _order(0, 0, 9)
        ledger.record(orders=[order])
        stopped = _outcome(order, STOPPED, metrics=_rows(1, 5), state="s5", predictions="p5")
        assert ledger.record(outcomes=[stopped], clock=2.0) == []
        assert look().open_orders() == [_order(0, 5, 9, state="s5")]
        assert list(look().events()) == [order]
        (trial,) = look().trials()
        assert (trial.status, trial.history) == (TrialStatus.RUNNING, _rows(1, 5))
        assert (trial.state, trial.predictions, trial.finished_at) == ("s5", "p5", 2.0)

    def test_the_parts_of_a_stopped_order_become_one_outcome(
        self, ledger: Ledger, look: Any
    ) -> None:
        """Rows of all parts, seconds summed, the rest as the last part gave it."""
        order = _order(0, 0, 9)
        ledger.record(orders=[order])
        ledger.record(
            outcomes=[_outcome(order, STOPPED, metrics=_rows(1, 2), seconds=0.5, state="s2")]
        )
        (rest,) = look().open_orders()
        part = _outcome(rest, STOPPED, metrics=_rows(3, 7), seconds=0.25, state="s7")
        look().record(outcomes=[part])
        (rest,) = look().open_orders()
        assert rest == _order(0, 7, 9, state="s7")
        last = _outcome(rest, seconds=1.0, state="s9", predictions="p9", notes="n")
        whole = _outcome(order, seconds=1.75, state="s9", predictions="p9", notes="n")
        assert look().record(outcomes=[last]) == [whole]
        assert list(look().events()) == [order, whole]
        assert look().trials()[0].history == _rows(1, 9)

    def test_rows_without_a_state_are_trained_again_and_replaced(
        self, ledger: Ledger, look: Any
    ) -> None:
        """Also where the second attempt ends sooner than the first one."""
        order = _order(0, 0, 9)
        ledger.record(orders=[order])
        ledger.record(outcomes=[_outcome(order, STOPPED, metrics=_rows(1, 5), seconds=0.5)])
        assert look().trials()[0].history == _rows(1, 5)
        assert look().open_orders() == [order]
        rows = ({"loss": 7.0}, {"loss": math.inf})
        bad = _outcome(order, OutcomeStatus.DIVERGED, metrics=rows, seconds=0.5, error="inf")
        (told,) = look().record(outcomes=[bad])
        assert (told.metrics, told.seconds) == (rows, 1.0)
        assert list(look().events()) == [order, told]
        assert look().trials()[0].history == rows

    def test_both_parts_of_an_order_may_come_in_one_record(self, ledger: Ledger, look: Any) -> None:
        """They are taken in their sequence."""
        order = _order(0, 0, 4)
        ledger.record(orders=[order])
        part = _outcome(order, STOPPED, metrics=_rows(1, 3))
        (told,) = ledger.record(outcomes=[part, _outcome(order)])
        assert told.metrics == _rows(1, 4)
        assert list(look().events()) == [order, told]

    def test_a_stopped_fork_that_stored_nothing_begins_with_its_parent_again(
        self, ledger: Ledger, look: Any
    ) -> None:
        """Nothing of its own is there to go on from."""
        parent, fork = _order(0, 0, 4), _order(1, 4, 6, parent=0)
        ledger.record(orders=[parent])
        ledger.record(outcomes=[_outcome(parent, state="s4")], orders=[fork])
        ledger.record(outcomes=[_outcome(fork, STOPPED, metrics=())])
        assert look().open_orders() == [_order(1, 4, 6, parent=0, state="s4")]

    def test_text_that_databases_refuse_is_kept_as_far_as_it_can_be(
        self, ledger: Ledger, look: Any
    ) -> None:
        """NUL and half a character; what is told is what will be read."""
        order = _order(0, 0, 1)
        ledger.record(orders=[order])
        bad = _outcome(order, OutcomeStatus.FAILED, error="a\0b", notes="half \ud83d", metrics=())
        (told,) = ledger.record(outcomes=[bad])
        assert (told.error, told.notes) == ("a\ufffdb", "half ?")
        assert list(look().events())[-1] == told

    def test_an_outcome_that_nobody_ordered_is_refused(self, ledger: Ledger, look: Any) -> None:
        """And with it all that came in the same call: a record is one transaction."""
        first, second = _order(0, 0, 2), _order(1, 0, 2)
        ledger.record(orders=[first, second])
        for strange in (_outcome(_order(2, 0, 2)), _outcome(_order(1, 0, 3)), _outcome(first)):
            with pytest.raises(LedgerError, match="no such order is open"):
                ledger.record(outcomes=[_outcome(first), strange], orders=[_order(3, 0, 1)])
        assert look().open_orders() == [first, second]
        assert list(look().events()) == [first, second]
        assert len(look().trials()) == 2

    def test_a_second_order_for_a_trial_is_refused_while_one_is_open(
        self, ledger: Ledger, look: Any
    ) -> None:
        """Outcomes are matched with orders by trial."""
        ledger.record(orders=[_order(0, 0, 2)])
        with pytest.raises(LedgerError, match="another one is open"):
            ledger.record(orders=[_order(0, 2, 4)])
        assert look().open_orders() == [_order(0, 0, 2)]

    def test_a_change_stands_where_it_was_made(self, ledger: Ledger, look: Any) -> None:
        """After the outcomes and before the orders of one call; it is no order and no trial."""
        first, second = _order(0, 0, 2), _order(1, 0, 2)
        begin = Change(enqueued=(_CONFIG,))
        ledger.record(changes=[begin])
        ledger.record(orders=[first], clock=1.0)
        more = Change(trials=9)
        ledger.record(outcomes=[_outcome(first)], changes=[more], orders=[second], clock=2.0)
        assert list(look().events()) == [begin, first, _outcome(first), more, second]
        assert list(look().changes) == [begin, more]
        assert len(look().trials()) == 2
        assert look().open_orders() == [second]
        assert look().clock == 2.0

    def test_a_ledger_can_be_closed_twice(self, ledger: Ledger) -> None:
        """The second time does nothing."""
        ledger.record(orders=[_order(0, 0, 2)])
        ledger.close()
        ledger.close()
