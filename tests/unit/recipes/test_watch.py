import numpy as np
import pytest
import torch

from ripieno.recipes import State, Watch, read_knobs
from ripieno.recipes.watch import Best

RESTORE = read_knobs({"restore": "best"})


def best(number):
    return Best(
        {"log_loss": float(number)},
        np.full((2, 3), number, dtype=np.float32),
        {"weight": torch.tensor([float(number)])},
    )


def watched(values, knobs=RESTORE, start=None):
    watch = start or Watch()
    for number, value in enumerate(values):
        watch = watch.after(value, best(number), knobs)
    return watch


@pytest.mark.parametrize(
    ("values", "kept", "since"),
    [
        ([3.0], 0, 0),
        ([3.0, 2.0, 1.0], 2, 0),
        ([3.0, 1.0, 2.0, 1.0], 1, 2),
        ([float("nan"), 2.0, float("nan")], 1, 1),
        ([float("nan"), float("nan")], 0, 1),
        ([-1.0, -3.0, -2.0], 1, 1),
    ],
)
def test_the_first_of_the_lowest_values_is_kept(values, kept, since):
    watch = watched(values)
    assert watch.best.metrics == {"log_loss": float(kept)}
    assert watch.epochs_since_best == since


def test_patience_counts_epochs_without_a_better_one():
    knobs = read_knobs({"early_stopping": 2})
    ended = [watched(values, knobs).ended(knobs) for values in ([1.0], [1.0, 1.0], [1.0, 1.0, 2.0])]
    assert ended == [False, False, True]
    assert not watched([1.0, 2.0, 3.0, 4.0]).ended(RESTORE)


def test_plateau_alone_keeps_values_and_no_copy():
    watch = watched([2.0, 1.0], read_knobs({"schedule": "plateau"}))
    assert watch.values == (2.0, 1.0)
    assert watch.best is None
    assert set(watch.to_arrays()) == {"watch/values"}


@pytest.mark.parametrize("values", [[2.0, 1.0], [1.0, 2.0, 3.0]])
def test_what_is_stored_is_read_back_beside_the_last_state(values):
    watch = watched(values)
    last = {"weight": torch.tensor([float(len(values) - 1)])}
    arrays = State(last, {}, epoch=len(values), watch=watch).to_arrays()
    # The best weights are stored once, also where they are the last ones.
    assert ("watch/model/weight" in arrays) == (values[-1] != 1.0)
    state = State.from_arrays(arrays, epoch=len(values))
    again = state.watch
    assert again.values == watch.values
    assert again.best.metrics == watch.best.metrics
    assert np.array_equal(again.best.predictions, watch.best.predictions)
    assert torch.equal(state.answer["weight"], watch.best.model["weight"])
    grown = (watch.after(0.5, best(9), RESTORE), again.after(0.5, best(9), RESTORE))
    assert grown[0].values == grown[1].values
    assert grown[1].best.metrics == {"log_loss": 9.0}


def test_a_fork_inherits_the_values_and_has_a_best_epoch_of_its_own():
    knobs = read_knobs({"early_stopping": 2})
    fork = watched([1.0, 2.0, 2.0], knobs).forked()
    assert not fork.ended(knobs)
    child = watched([3.0, 2.5], knobs, start=fork)
    assert child.values == (1.0, 2.0, 2.0, 3.0, 2.5)
    assert (child.best.metrics["log_loss"], child.epochs_since_best) == (1.0, 0)
    again = Watch.from_arrays(child.to_arrays(), {})
    assert again.inherited == 3
    assert watched([2.6, 2.7], knobs, start=again).ended(knobs)


def test_nothing_is_stored_where_nobody_looks():
    state = State({"weight": torch.ones(1)}, {}, epoch=1)
    assert set(state.to_arrays()) == {"model/weight"}
    assert State.from_arrays(state.to_arrays()).watch is None
