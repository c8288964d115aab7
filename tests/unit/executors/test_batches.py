from dataclasses import dataclass

from ripieno.executors.batches import next_batch
from ripieno.records import Config, Order


@dataclass(frozen=True)
class Parity:
    """A runner of orders that belong together by the parity of their trials."""

    width: int

    def group(self, order):
        return f"parity {order.trial % 2}"

    def run(self, orders, artifacts, stop):
        yield from ()


def order(trial, start=0):
    return Order(trial, Config({"x": 1.0}), start, start + 1)


def trials(runner, waiting, **more):
    return [each.trial for each in next_batch(runner, waiting, **more)]


def test_a_batch_is_the_first_order_and_what_belongs_with_it():
    waiting = [order(trial) for trial in (3, 2, 5, 4, 7)]
    assert trials(Parity(9), waiting) == [3, 5, 7]
    assert trials(Parity(2), waiting) == [3, 5]


def test_a_trial_that_goes_on_comes_before_new_ones():
    waiting = [order(1), order(3), order(2), order(0, start=3), order(4)]
    assert trials(Parity(9), waiting) == [0, 2, 4]
    assert trials(Parity(1), waiting) == [0]


def test_orders_that_all_belong_together_are_shared_by_those_who_are_free():
    waiting = [order(trial) for trial in (0, 2, 4, 6, 8)]
    assert trials(Parity(9), waiting, sharers=2) == [0, 2, 4]
    assert trials(Parity(2), waiting, sharers=2) == [0, 2]
    assert trials(Parity(9), [*waiting, order(1)], sharers=2) == [0, 2, 4, 6, 8]
