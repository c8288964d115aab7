"""What every executor must keep to."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ripieno.errors import ArtifactError, WorkerError
from ripieno.executors import Executor, ObjectiveRunner, Report
from ripieno.ledger import FileArtifacts
from ripieno.records import (
    ArtifactStore,
    Config,
    Order,
    Outcome,
    OutcomeStatus,
    Runner,
    hearing,
)

__all__ = ["ExecutorContract"]


def _order(trial: int, start: int = 0, stop: int = 3, **more: Any) -> Order:
    return Order(trial, Config({"x": float(trial)}), start, stop, **more)


@dataclass(frozen=True)
class _Groups:
    """A runner of orders that belong together by the parity of their trials."""

    width: int

    def group(self, order: Order) -> str:
        return f"parity {order.trial % 2}"

    def run(
        self,
        orders: Sequence[Order],
        artifacts: ArtifactStore,  # noqa: ARG002 - the protocol's
        stop: Callable[[], bool],  # noqa: ARG002 - the protocol's
    ) -> Iterator[Outcome]:
        trials = [order.trial for order in orders]
        # Backwards: an executor must not count on the sequence.
        for order in reversed(orders):
            rows = ({"loss": 0.0},) * order.epochs
            yield Outcome(order, OutcomeStatus.DONE, metrics=rows, notes=repr(trials))


@dataclass(frozen=True)
class _Careless:
    """A runner that raises, or forgets orders, or invents them."""

    error: Exception | None = None
    gives: tuple[int, ...] = ()
    width: int = 4

    def group(self, order: Order) -> str:  # noqa: ARG002 - the protocol's
        return ""

    def run(
        self,
        orders: Sequence[Order],  # noqa: ARG002 - carelessly
        artifacts: ArtifactStore,  # noqa: ARG002 - the protocol's
        stop: Callable[[], bool],  # noqa: ARG002 - the protocol's
    ) -> Iterator[Outcome]:
        for trial in self.gives:
            yield Outcome(_order(trial), OutcomeStatus.DONE, metrics=({"loss": 0.0},) * 3)
        if self.error is not None:
            raise self.error


class ExecutorContract:
    """Tests that an executor carries orders out, whatever becomes of them.

    Inherit from it in a class whose name begins with ``Test``, and say how to make one.

    Example:
        >>> class TestInlineExecutor(ExecutorContract):
        ...     def make(self, runner, artifacts):
        ...         return InlineExecutor(runner, artifacts)
    """

    def make(self, runner: Runner, artifacts: ArtifactStore) -> Executor:
        """Return an executor of the runner that has nothing to do yet."""
        raise NotImplementedError

    @pytest.fixture
    def start(self, tmp_path: Path) -> Iterator[Callable[[Any], Executor]]:
        """Return a function that makes an executor of a runner or of a plain function."""
        made: list[Executor] = []

        def start(what: Any) -> Executor:
            runner = ObjectiveRunner(what, "loss") if callable(what) else what
            made.append(self.make(runner, FileArtifacts(tmp_path)))
            return made[-1]

        yield start
        for executor in made:
            executor.close()

    def test_each_order_gets_one_outcome(self, start: Any) -> None:
        """More orders than slots, handed over as slots become free."""
        executor = start(lambda config: config.x**2)
        outcomes = _carry_out(executor, [_order(trial, stop=2) for trial in range(7)])
        assert {outcome.order.trial for outcome in outcomes} == set(range(7))
        assert len(outcomes) == 7
        for outcome in outcomes:
            assert outcome.order == _order(outcome.order.trial, stop=2)
            assert outcome.status is OutcomeStatus.DONE
            assert outcome.metrics == ({"loss": outcome.order.trial**2},) * 2

    def test_slots_count_what_is_out(self, start: Any) -> None:
        """All are free again once the outcomes are collected."""
        executor = start(lambda config: config.x)
        free = executor.slots
        assert free >= 1
        executor.submit([_order(0)])
        assert executor.slots == free - 1
        while not executor.collect():
            pass
        assert executor.slots == free

    def test_collecting_nothing_returns_at_once(self, start: Any) -> None:
        """Without a timeout too."""
        assert list(start(lambda config: config.x).collect()) == []

    def test_a_closure_finds_what_it_closes_over(self, start: Any) -> None:
        """Wherever it is called."""
        offset, helper = 0.5, np.square

        def objective(config: Config) -> float:
            return float(helper(config.x)) + offset

        (outcome,) = _carry_out(start(objective), [_order(3, stop=1)])
        assert outcome.metrics == ({"loss": 9.5},)

    def test_an_error_of_the_function_is_an_outcome_and_no_end(self, start: Any) -> None:
        """The other orders are carried out."""

        def objective(config: Config) -> float:
            if config.x == 1.0:
                raise ValueError("x must not be one")
            return 0.0

        outcomes = _carry_out(start(objective), [_order(trial) for trial in range(3)])
        status = {outcome.order.trial: outcome.status for outcome in outcomes}
        assert status == {
            0: OutcomeStatus.DONE,
            1: OutcomeStatus.FAILED,
            2: OutcomeStatus.DONE,
        }
        (error,) = [outcome.error for outcome in outcomes if outcome.error]
        assert "ValueError: x must not be one" in error

    def test_epochs_are_heard_of_while_an_order_is_out(self, start: Any) -> None:
        """In the thread that collects, and before the outcome is there."""

        def objective(_config: Config, report: Report) -> None:
            for epoch in range(3):
                time.sleep(0.6)
                report(epoch=epoch + 1, loss=0.0)

        executor, heard = start(objective), list[tuple[int, int]]()
        executor.submit([_order(4)])
        with hearing(lambda trial, epochs: heard.append((trial, epochs))):
            while not executor.collect(0.1):
                pass
        assert {trial for trial, _ in heard} == {4}
        assert {1, 2} & {epochs for _, epochs in heard}
        assert heard == sorted(heard)

    def test_a_trial_goes_on_from_its_stored_state(self, start: Any) -> None:
        """Epochs 0 to 2 and then to 5 give what 0 to 5 gives."""

        def objective(config: Config, report: Report) -> None:
            saved = report.load()
            total = float(saved["total"]) if saved else config.x
            for epoch in range(report.start, report.epochs):
                total = total * 1.1 + epoch
                report.save(epoch=epoch + 1, total=total)
                report(epoch=epoch + 1, loss=total)

        (whole,) = _carry_out(start(objective), [_order(2, 0, 5)])
        executor = start(objective)
        (first,) = _carry_out(executor, [_order(2, 0, 2)])
        (second,) = _carry_out(executor, [_order(2, 2, 5, state=first.state)])
        assert first.metrics + second.metrics == whole.metrics
        assert second.state == whole.state

    def test_orders_of_one_group_are_run_together(self, start: Any) -> None:
        """And those of another one apart."""
        executor = start(_Groups(width=4))
        outcomes = _carry_out(executor, [_order(trial) for trial in range(4)])
        assert len(outcomes) == 4
        for outcome in outcomes:
            together = {int(trial) % 2 for trial in (outcome.notes or "").strip("[]").split(",")}
            assert together == {outcome.order.trial % 2}

    def test_stopping_ends_what_runs_and_keeps_its_epochs(self, start: Any) -> None:
        """A function that would report for ever is left at its next report."""

        def objective(_config: Config, report: Report) -> None:
            for epoch in range(1, 1_000_000):
                report(epoch=epoch, loss=1.0 / epoch)
                time.sleep(0.001)

        executor = start(objective)
        executor.submit([_order(0, 0, 500_000)])
        timer = threading.Timer(1.5, executor.stop)
        timer.start()
        (outcome,) = _collect_all(executor, 1)
        timer.join()
        assert outcome.status is OutcomeStatus.STOPPED
        assert outcome.metrics == tuple({"loss": 1.0 / n} for n in range(1, outcome.reached + 1))
        assert executor.slots == 0
        assert list(executor.collect()) == []

    def test_what_is_handed_over_after_a_stop_is_not_begun(self, start: Any) -> None:
        """It comes back stopped, without epochs."""
        executor = start(lambda config: config.x)
        executor.stop()
        executor.submit([_order(0), _order(1)])
        outcomes = _collect_all(executor, 2)
        assert {outcome.status for outcome in outcomes} == {OutcomeStatus.STOPPED}
        assert {outcome.metrics for outcome in outcomes} == {()}

    def test_an_error_of_ours_in_a_runner_ends_the_study(self, start: Any) -> None:
        """A full disk must not look like failed trials."""
        full = ArtifactError("the disk is full.", where="/", fix="free some space.")
        executor = start(_Careless(error=full))
        executor.submit([_order(0)])
        with pytest.raises(ArtifactError, match="the disk is full"):
            _collect_all(executor, 1)

    @pytest.mark.parametrize("gives", [(0,), (7, 0, 1), (1, 1, 0)], ids=str)
    def test_a_runner_that_forgets_or_invents_outcomes_is_found_out(
        self, start: Any, gives: tuple[int, ...]
    ) -> None:
        """An order that nobody answers would keep the study waiting for ever."""
        executor = start(_Careless(gives=gives))
        executor.submit([_order(0), _order(1)])
        with pytest.raises(WorkerError, match="the runner gave"):
            _collect_all(executor, 3)

    def test_closing_twice_and_with_orders_out_is_safe(self, start: Any) -> None:
        """Nothing is left that could be collected."""
        executor = start(lambda config: config.x)
        executor.submit([_order(0)])
        executor.close()
        executor.close()
        assert executor.slots == 0


def _carry_out(executor: Executor, orders: Sequence[Order]) -> list[Outcome]:
    """Hand orders over as fast as there are slots, and return all outcomes."""
    waiting, outcomes = list(orders), list[Outcome]()
    while len(outcomes) < len(orders):
        count = executor.slots
        executor.submit(waiting[:count])
        waiting = waiting[count:]
        outcomes += executor.collect(60.0)
    return outcomes


def _collect_all(executor: Executor, count: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    while len(outcomes) < count and (found := executor.collect(60.0)):
        outcomes += found
    return outcomes
