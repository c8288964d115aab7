from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import ripieno as rp
from ripieno.population.parts import Part, shares
from ripieno.population.trials import rows_of
from ripieno.recipes import Finished, Recipe, State
from ripieno.records import Order, OutcomeStatus

RECIPE = Recipe(model=lambda config: nn.Linear(2, 2), metrics=("log_loss",))


def part(trials, replicas=1, start=0, **knobs):
    orders = [Order(t, rp.Config({"lr": 0.1, **knobs}), start, start + 3) for t in range(trials)]
    how = {"recipe": RECIPE, "study_seed": 0, "folds": replicas, "seeds": 1}
    rows = [row for order in orders for row in rows_of(order, None, **how)]
    return Part(tuple(rows), (None,) * len(rows))


def trials(part):
    return [row.order.trial for row in part.rows]


def finish(row, epoch, noted=0):
    """Have a row as it is after an epoch, with more metrics noted than that."""
    row.metrics[:] = [{"epoch": e + 1} for e in range(row.order.start, epoch + noted)]
    row.held = Finished({}, State({}, {}, epoch), np.zeros((1, 2), np.float32))
    return row.finished.state


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


@pytest.mark.parametrize(
    ("width", "expected"), [(99, [[0] * 5 + [1] * 5 + [2] * 5]), (11, [[0] * 5 + [1] * 5, [2] * 5]),
                            (9, [[0] * 5, [1] * 5, [2] * 5]), (1, [[0] * 5, [1] * 5, [2] * 5])],
)  # fmt: skip
def test_the_rows_of_a_trial_stay_together(width, expected):
    assert [trials(p) for p in part(3, replicas=5).divide(width)] == expected


def test_nothing_is_divided_into_nothing():
    assert Part((), ()).divide(4) == []


def test_what_has_ended_is_kept_and_what_is_left_goes_on_from_its_last_epoch():
    whole = part(4, start=2)
    whole.rows[0].status = OutcomeStatus.DONE
    whole.rows[1].status = OutcomeStatus.DIVERGED
    state = finish(whole.rows[2], 4)
    assert [row.order.trial for row in whole.ended] == [0, 1]
    left = whole.left()
    assert trials(left) == [2, 3]
    assert left.stored == (state, None)
    assert [order.trial for order in left.orders] == [2, 3]
    assert whole.rows[2].epoch == 4


def test_an_epoch_that_was_only_half_noted_is_forgotten():
    whole = part(2)
    state = finish(whole.rows[0], 2, noted=1)
    whole.rows[1].metrics.append({"epoch": 1})
    left = whole.left()
    assert left.stored == (state, None)
    assert [row.epoch for row in left.rows] == [2, 0]
    assert [row.metrics for row in left.rows] == [[{"epoch": 1}, {"epoch": 2}], []]


@pytest.mark.parametrize("fallen", [False, True])
def test_a_trial_whose_rows_are_not_at_one_epoch_begins_again(fallen):
    whole = part(2, replicas=3)
    for row in whole.rows[:3]:
        finish(row, 1)
    if fallen:
        whole.rows[1].status, whole.rows[1].error = OutcomeStatus.DIVERGED, "inf"
    else:
        finish(whole.rows[1], 2)
    states = [finish(row, 1) for row in whole.rows[3:]]
    left = whole.left()
    assert left.stored == (None, None, None, *states)
    assert [row.epoch for row in left.rows] == [0, 0, 0, 1, 1, 1]
    assert {row.status for row in left.rows} == {OutcomeStatus.STOPPED}
    assert whole.ended == ()


def judge(row, epoch):
    finish(row, epoch)
    found = replace(row.finished, metrics={"log_loss": 1.0 / epoch})
    row.judged.append(row.judging.judge(found))


def test_a_trial_that_watches_its_metric_goes_on_with_what_it_saw():
    whole = part(1, early_stopping=2)
    judge(whole.rows[0], 1)
    judge(whole.rows[0], 2)
    left = whole.left()
    assert left.rows[0].judging.values == (1.0, 0.5)
    assert len(left.rows[0].judged) == 2
    assert left.rows[0].epoch == 2


def test_a_trial_that_could_not_judge_its_epoch_begins_again_with_what_it_saw_before():
    whole = part(1, early_stopping=2)
    judge(whole.rows[0], 1)
    finish(whole.rows[0], 2)
    whole.rows[0].status = OutcomeStatus.DONE  # as it would be after the last epoch
    assert whole.ended == ()
    left = whole.left()
    assert left.rows[0].judging.values == ()
    assert (left.rows[0].judged, left.rows[0].metrics) == ([], [])
    assert left.rows[0].status is OutcomeStatus.STOPPED
    judge(left.rows[0], 1)
    assert whole.rows[0].unjudged.values == ()  # and can begin again once more


def test_rows_that_share_a_stream_are_parted_by_their_epoch():
    whole = part(4, replicas=2)
    for row in whole.rows[2:6]:
        finish(row, 2)
    assert [trials(p) for p in whole.left().by_epoch()] == [[0, 0, 3, 3], [1, 1, 2, 2]]
