import numpy as np
import pytest

import ripieno as rp
from ripieno.population.group import Row
from ripieno.population.parts import Part, shares
from ripieno.recipes import Finished, State
from ripieno.records import Order, OutcomeStatus


def part(count):
    orders = [Order(trial, rp.Config({"lr": 0.1}), 0, 3) for trial in range(count)]
    return Part(tuple(Row.of(order, 0) for order in orders), (None,) * count)


def trials(part):
    return [row.order.trial for row in part.rows]


@pytest.mark.parametrize(
    ("count", "width", "expected"),
    [
        (5, 5, [5]), (5, 9, [5]), (6, 5, [3, 3]), (33, 32, [17, 16]), (64, 32, [32, 32]),
        (5, 1, [1] * 5), (11, 4, [4, 4, 3]),
    ],
)  # fmt: skip
def test_rows_are_divided_into_few_and_even_stacks(count, width, expected):
    assert list(shares(count, width)) == expected
    parts = part(count).divide(width)
    assert [len(p.rows) for p in parts] == expected
    assert [trial for p in parts for trial in trials(p)] == list(range(count))


def test_what_has_ended_is_kept_and_what_is_left_goes_on_from_its_last_epoch():
    whole = part(4)
    states = [State(model={}, optimizer={}, epoch=epoch) for epoch in (3, 2)]
    whole.rows[0].status = OutcomeStatus.DONE
    whole.rows[1].status = OutcomeStatus.DIVERGED
    whole.rows[2].finished = Finished({}, states[1], np.zeros((1, 2), np.float32))
    assert [row.order.trial for row in whole.ended] == [0, 1]
    left = whole.left()
    assert trials(left) == [2, 3]
    assert left.stored == (states[1], None)
