import math
import time
from itertools import pairwise

import pytest

from ripieno.errors import LedgerError, SearchError, StudyError
from ripieno.executors import InlineExecutor, ObjectiveRunner, ProcessExecutor
from ripieno.ledger import MemoryArtifacts, SqlLedger
from ripieno.loop import Budget, StopReason, run
from ripieno.records import Config, Objective, Order, Outcome, OutcomeStatus, TrialStatus
from ripieno.testing import orders_by_trial


def two_workers(runner, artifacts):
    return ProcessExecutor(runner, artifacts, workers=2)


def stateless(config, report):
    """A learning curve that starts anew each time."""
    for epoch in range(1, 1_000):
        report(epoch=epoch, loss=config.x**2 + config.y**2 + 1.0 / epoch)


def slow(config, report):
    saved = report.load()
    loss = float(saved["loss"]) if saved else 2.0
    for epoch in range(report.start + 1, report.epochs + 1):
        time.sleep(0.01)
        loss = loss * 0.8 + 0.1 * config.x**2
        report.save(epoch=epoch, loss=loss)
        report(epoch=epoch, loss=loss)


@pytest.mark.parametrize("scheduler", ["full", "halving", "hyperband"])
def test_every_order_of_the_scheduler_is_carried_out(search, scheduler):
    study = search(scheduler=scheduler)
    assert study.session() is StopReason.FINISHED
    events = study.read("events")
    orders = [event for event in events if isinstance(event, Order)]
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert {outcome.status for outcome in outcomes} == {OutcomeStatus.DONE}
    assert sorted(orders, key=repr) == sorted((o.order for o in outcomes), key=repr)
    assert study.read("open_orders") == []
    assert len(orders) == study.scheduler().planned


def test_survivors_continue_where_they_stopped(search):
    study = search()
    study.session()
    trials = orders_by_trial(study.read("events"))
    assert max(len(orders) for orders in trials.values()) == 3
    for orders in trials.values():
        assert [order.start for order in orders] == [0, *(order.stop for order in orders[:-1])]


# Mother test 4 of the project.
def test_same_seed_gives_the_same_trials_on_any_number_of_workers(search):
    alone, together = search(), search()
    alone.session()
    assert together.session(two_workers) is StopReason.FINISHED
    assert together.table() == alone.table()


def test_a_function_with_and_without_saved_states_gives_the_same_curves(search):
    def with_states(config, report):
        for epoch in range(report.start + 1, report.epochs + 1):
            report.save(epoch=epoch, reached=epoch)
            report(epoch=epoch, loss=config.x**2 + config.y**2 + 1.0 / epoch)

    first, second = search(stateless), search(with_states)
    first.session()
    second.session()
    assert [t.history for t in first.read("trials")] == [t.history for t in second.read("trials")]


def test_failed_and_diverged_trials_are_recorded_and_the_search_goes_on(search):
    def moody(config, report):
        if config.x > 0.5:
            raise ValueError("too much")
        report(epoch=1, loss=math.nan if config.x < -0.5 else 1.0)
        stateless(config, report)

    study = search(moody, scheduler="full", trials=30)
    assert study.session() is StopReason.FINISHED
    for trial in study.read("trials"):
        expected = (
            TrialStatus.FAILED
            if trial.config.x > 0.5
            else TrialStatus.DIVERGED
            if trial.config.x < -0.5
            else None
        )
        if expected is not None:
            assert trial.status is expected
            assert trial.error


def test_only_the_latest_state_of_each_trial_is_kept(search):
    study = search()
    study.session()
    assert study.stored() == {trial.state for trial in study.read("trials")}


@pytest.mark.parametrize("epochs", [1, 7, 20, 53])
def test_no_order_is_given_once_the_epochs_are_spent(search, epochs):
    study = search()
    assert study.session(budget=Budget(epochs=epochs)) is StopReason.BUDGET_EPOCHS
    trained = sum(len(trial.history) for trial in study.read("trials"))
    last = [event for event in study.read("events") if isinstance(event, Order)][-1]
    assert epochs <= trained < epochs + last.epochs
    assert study.read("open_orders") == []


def test_a_spent_budget_gives_no_more_orders_in_a_later_session(search):
    study = search()
    study.session(budget=Budget(epochs=20))
    before = study.table()
    assert study.session(budget=Budget(epochs=20)) is StopReason.BUDGET_EPOCHS
    assert study.table() == before


def test_a_search_in_parts_gives_the_same_trials_as_in_one_go(search):
    whole, parts = search(), search()
    whole.session()
    for epochs in (5, 6, 17, 40, 80):
        parts.session(budget=Budget(epochs=epochs))
    assert parts.session() is StopReason.FINISHED
    assert parts.table() == whole.table()


def test_a_search_that_needs_no_more_than_its_epochs_is_finished(search):
    study = search(scheduler="full")
    assert study.session(budget=Budget(epochs=24)) is StopReason.FINISHED


def test_a_good_enough_value_ends_the_search(search):
    study = search()
    study.session()
    best = min(trial.history[-1]["loss"] for trial in study.read("trials"))
    second = search()
    assert second.session(budget=Budget(target=best * 1.5)) is StopReason.TARGET
    trials = second.read("trials")
    assert min(trial.metrics.get("loss", math.inf) for trial in trials) <= best * 1.5
    assert sum(len(t.history) for t in trials) <= sum(len(t.history) for t in study.read("trials"))
    before = second.table()
    assert second.session(budget=Budget(target=best * 1.5)) is StopReason.TARGET
    assert second.table() == before


@pytest.mark.parametrize("make", [InlineExecutor, two_workers])
def test_time_that_is_over_stops_what_runs_and_the_rest_goes_on_later(search, make):
    whole, parts = search(slow), search(slow)
    whole.session()
    reasons = []
    # The clock runs over all sessions. Each gets more time than the one before, so that the
    # search ends on a machine of any speed.
    while StopReason.FINISHED not in reasons:
        budget = Budget(seconds=parts.read("clock") + 0.2 * 2 ** len(reasons))
        reasons.append(parts.session(make, budget=budget))
    assert reasons[0] is StopReason.BUDGET_SECONDS
    assert reasons[-1] is StopReason.FINISHED
    assert parts.table() == whole.table()
    assert parts.stored() == {trial.state for trial in parts.read("trials")}


def test_time_is_over_in_the_middle_of_an_order(search):
    study = search(slow, scheduler="full", epochs=100_000, trials=1)
    began = time.monotonic()
    assert study.session(budget=Budget(seconds=0.3)) is StopReason.BUDGET_SECONDS
    assert time.monotonic() - began < 20.0
    (trial,) = study.read("trials")
    assert trial.status is TrialStatus.RUNNING
    assert trial.epochs > 0
    (rest,) = study.read("open_orders")
    assert (rest.start, rest.stop, rest.state) == (trial.epochs, 100_000, trial.state)
    assert study.read("clock") >= 0.3
    assert study.session(budget=Budget(seconds=0.3)) is StopReason.BUDGET_SECONDS


def test_open_orders_of_a_killed_session_come_first(search):
    study = search(scheduler="full")
    ledger = SqlLedger.open(study.folder / "study.db")
    scheduler = study.scheduler()
    ledger.record(orders=scheduler.ask(3))
    ledger.close()
    whole = search(scheduler="full")
    whole.session()
    assert study.session() is StopReason.FINISHED
    assert study.table() == whole.table()
    done = [e.order.trial for e in study.read("events") if isinstance(e, Outcome)]
    assert done[:3] == [0, 1, 2]


def test_an_executor_of_fewer_slots_than_open_orders_takes_them_in_turn(search):
    study = search(scheduler="full")
    ledger = SqlLedger.open(study.folder / "study.db")
    ledger.record(orders=study.scheduler().ask(8))
    ledger.close()
    assert study.session() is StopReason.FINISHED
    assert len(study.read("trials")) == 8


def test_the_watcher_sees_the_search_grow(search):
    seen = []
    study = search()
    study.session(watch=seen.append)
    first, last = seen[0], seen[-1]
    assert (first.trials, first.orders, first.epochs, first.best, first.outcome) == (
        0,
        0,
        0,
        None,
        None,
    )
    trials = study.read("trials")
    assert last.trials == len(trials)
    assert last.orders == last.planned == study.scheduler().planned
    assert last.epochs == sum(len(trial.history) for trial in trials)
    assert last.running == 0
    assert last.best == min(trials, key=lambda trial: trial.history[-1]["loss"])
    assert [p.orders for p in seen] == sorted(p.orders for p in seen)
    assert [p.seconds for p in seen] == sorted(p.seconds for p in seen)


def test_a_resumed_search_counts_all_its_sessions(search):
    seen = []
    study = search()
    study.session(budget=Budget(epochs=30))
    before = [e for e in study.read("events") if isinstance(e, Outcome)]
    study.session(watch=seen.append)
    assert seen[0].orders == len(before)
    assert seen[0].epochs == sum(len(outcome.metrics) for outcome in before)
    assert seen[0].best is not None


def test_the_watcher_is_served_while_workers_are_busy(search):
    seen = []

    def sleepy(config):
        time.sleep(1.1)
        return config.x

    study = search(sleepy, scheduler="full", trials=2)
    study.session(two_workers, watch=seen.append)
    waits = [b.seconds - a.seconds for a, b in pairwise(seen)]
    assert len([progress for progress in seen if progress.running]) >= 2
    assert min(waits) >= 0.0


def test_the_watcher_sees_epochs_of_an_order_that_is_out(search):
    seen = []

    def slow(config, report):
        for epoch in range(3):
            time.sleep(0.6)
            report(epoch=epoch + 1, loss=config.x)

    search(slow, scheduler="full", trials=1).session(watch=seen.append)
    within = [p.epochs for p in seen if p.running]
    assert {1, 2} <= set(within)
    assert [p.epochs for p in seen] == sorted(p.epochs for p in seen)
    assert seen[-1].epochs == 3


def test_an_objective_that_no_trial_reports_ends_the_search_with_its_name(tmp_path):
    ledger = SqlLedger.create("sqlite://", {})
    artifacts = MemoryArtifacts()
    executor = InlineExecutor(ObjectiveRunner(lambda config: 1.0, "loss"), artifacts)

    class One:
        planned = 1

        def __init__(self):
            self.orders = [Order(0, Config({}), 0, 1)]

        def ask(self, slots):
            return [self.orders.pop()] if self.orders else []

        def tell(self, outcome):
            pass

    with pytest.raises(SearchError, match="'accuracy' was not reported"):
        run(One(), ledger, executor, objective=Objective("accuracy"), artifacts=artifacts)
    ledger.close()


def test_an_executor_that_was_stopped_is_refused(search):
    def stopped(runner, artifacts):
        executor = InlineExecutor(runner, artifacts)
        executor.stop()
        return executor

    with pytest.raises(StudyError, match="takes no orders"):
        search().session(stopped)


def test_an_outcome_is_on_record_before_the_scheduler_learns_of_it(search):
    study = search(scheduler="full")
    scheduler = study.scheduler()
    tell = scheduler.tell

    class CrashError(Exception):
        """What a bug in a searcher may look like."""

    def crash(outcome):
        if outcome.order.trial == 3:
            raise CrashError
        tell(outcome)

    scheduler.tell = crash
    study.scheduler = lambda: scheduler
    with pytest.raises(CrashError):
        study.session()
    assert [trial.status.value for trial in study.read("trials")] == ["paused"] * 4


def test_a_state_is_deleted_only_after_its_successor_is_on_record(search):
    study = search()
    delete = study.artifacts.delete

    def check(key):
        assert key not in {trial.state for trial in study.read("trials")}
        delete(key)

    study.artifacts.delete = check
    study.session()


def test_a_ledger_that_cannot_be_written_ends_the_search(search):
    study = search(scheduler="full")
    ledger = SqlLedger.open(study.folder / "study.db")
    executor = InlineExecutor(ObjectiveRunner(stateless, "loss"), study.artifacts)

    def lose(progress):
        if progress.orders == 2:
            ledger.close()

    with pytest.raises(LedgerError):
        run(
            study.scheduler(),
            ledger,
            executor,
            objective=Objective("loss"),
            artifacts=study.artifacts,
            watch=lose,
        )
    assert [trial.status.value for trial in study.read("trials")][:2] == ["paused"] * 2


def test_failures_one_after_the_other_end_a_session_and_the_next_one_counts_anew(search):
    def broken(config):
        raise RuntimeError("no")

    study = search(broken, scheduler="full", trials=8)
    assert study.session(budget=Budget(failures=3)) is StopReason.FAILURES
    assert len(study.read("trials")) == 3
    assert study.session(budget=Budget(failures=3)) is StopReason.FAILURES
    assert len(study.read("trials")) == 6
    assert study.session(budget=Budget(failures=3)) is StopReason.FINISHED


def test_failures_with_others_between_them_end_nothing(search):
    calls = []

    def moody(config):
        calls.append(config)
        if len(calls) % 3:
            raise RuntimeError("no")
        return 1.0

    study = search(moody, scheduler="full", trials=8)
    assert study.session(budget=Budget(failures=3)) is StopReason.FINISHED


def test_a_session_without_room_pauses_after_what_is_out_and_can_be_carried_on(search):
    asked = []

    def is_full(out):
        asked.append(out)
        return len(asked) > 3

    study = search(scheduler="full", trials=8)
    assert study.session(is_full=is_full) is StopReason.DISK
    assert study.read("open_orders") == []
    assert len(study.read("trials")) == 3
    assert study.session() is StopReason.FINISHED
    assert len(study.read("trials")) == 8
