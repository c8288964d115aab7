import pytest

from ripieno.executors import InlineExecutor, ObjectiveRunner
from ripieno.ledger import MemoryArtifacts
from ripieno.records import Config, Order, OutcomeStatus


def order(trial):
    return Order(trial, Config({"x": float(trial)}), 0, 1)


def make(objective):
    return InlineExecutor(ObjectiveRunner(objective, "loss"), MemoryArtifacts())


def test_orders_run_when_they_are_collected():
    called = []
    executor = make(lambda config: called.append(config.x) or 0.0)
    executor.submit([order(0)])
    assert called == []
    executor.collect()
    assert called == [0.0]


def test_an_interrupt_leaves_collect_and_the_order_can_be_run_again():
    calls = []

    def objective(config):
        calls.append(config.x)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return 1.0

    executor = make(objective)
    executor.submit([order(0)])
    with pytest.raises(KeyboardInterrupt):
        executor.collect()
    assert executor.slots == 0
    (outcome,) = executor.collect()
    assert outcome.status is OutcomeStatus.DONE


def test_an_interrupted_order_is_stopped_where_the_study_stops():
    def objective(config):
        raise KeyboardInterrupt

    executor = make(objective)
    executor.submit([order(0)])
    with pytest.raises(KeyboardInterrupt):
        executor.collect()
    executor.stop()
    (outcome,) = executor.collect()
    assert (outcome.status, outcome.metrics) == (OutcomeStatus.STOPPED, ())
    assert executor.collect() == []


def test_closing_ends_a_runner_that_is_half_way():
    left = []

    class Slow:
        width = 2

        def group(self, order):
            return ""

        def run(self, orders, artifacts, stop):
            inner = ObjectiveRunner(lambda config: 0.0, "loss")
            try:
                yield from inner.run(orders, artifacts, stop)
            finally:
                left.append(True)

    executor = InlineExecutor(Slow(), MemoryArtifacts())
    executor.submit([order(0), order(1)])
    executor.collect()
    executor.close()
    assert left == [True]
    assert executor.collect() == []
