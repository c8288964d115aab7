from dataclasses import replace

import numpy as np
import pytest
import torch

from ripieno.errors import DataError, SearchError
from ripieno.nas import (
    METHODS,
    ArchitectureFactory,
    Darts,
    Enas,
    Guard,
    cell_space,
    darts_space,
    dominant_eigenvalue,
    search_supernet,
)
from ripieno.recipes import Data

SPACE = cell_space(filters=4, stages=1)
FEW = {"epochs": 2, "batch_size": 16, "guard": None}


@pytest.mark.parametrize("method", METHODS)
def test_what_is_found_is_a_config_of_the_space_and_the_same_each_time(few_digits, method):
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    first, second = (search_supernet(SPACE, few_digits, method, **FEW) for _ in range(2))
    assert torch.equal(torch.rand(2), expected)
    assert SPACE.config(first.config) == first.config
    assert first.epochs == second.epochs
    assert [epoch.train_loss > 0 for epoch in first.epochs] == [True, True]
    network = ArchitectureFactory(few_digits.shape, 10)(first.config)
    assert network(torch.zeros(2, *few_digits.shape)).shape == (2, 10)


@pytest.mark.parametrize("method", ["gdas", Enas(hidden=8, steps=1, draws=2, candidates=2)])
def test_the_cells_of_darts_are_searched_too(few_digits, method):
    space = darts_space(filters=2, cells=3)
    found = search_supernet(space, few_digits, method, epochs=1, batch_size=32, guard=None)
    assert space.config(found.config) == found.config


def test_the_supernet_learns(few_digits):
    seen = []
    found = search_supernet(
        SPACE, few_digits, epochs=25, batch_size=16, lr=0.2, guard=None, report=seen.append
    )
    assert tuple(seen) == found.epochs
    assert seen[-1].train_loss < 0.8 * seen[0].train_loss


@pytest.mark.parametrize(("lr", "alike"), [(1e-7, True), (0.5, False)])
def test_second_order_is_first_order_where_a_step_changes_nothing(few_digits, lr, alike):
    first, second = (
        search_supernet(
            SPACE, few_digits, Darts(order=order, beta=0.0),
            epochs=1, batch_size=32, lr=lr, guard=None,
        ).strengths["normal"]
        for order in (1, 2)
    )  # fmt: skip
    assert torch.allclose(first, second, atol=1e-6) == alike


def test_alphas_wait_for_the_warm_up_to_end(few_digits):
    still = search_supernet(SPACE, few_digits, Darts(warmup=1.0), **FEW).strengths["normal"]
    assert (still - 0.2).abs().max() < 2e-3
    moved = search_supernet(SPACE, few_digits, Darts(), alpha_lr=0.1, **FEW).strengths["normal"]
    assert (moved - 0.2).abs().max() > 2e-2


def test_a_search_that_collapses_is_stopped_and_says_why(few_digits):
    guard = Guard(skips=-1, warmup=0.0)
    found = search_supernet(SPACE, few_digits, epochs=9, batch_size=32, guard=guard)
    assert len(found.epochs) == 1
    assert "of 6 edges are shortcuts or absent, more than -1" in found.stopped


def test_the_guard_waits_for_alphas_that_move(few_digits):
    guard = Guard(skips=-1, warmup=0.0)
    few = {"epochs": 4, "batch_size": 32, "guard": guard}
    found = search_supernet(SPACE, few_digits, Darts(warmup=0.5), **few)
    assert len(found.epochs) == 3


def test_the_guard_goes_back_to_the_last_architecture_that_was_good():
    flat = [1.0] * 5
    guard = Guard(warmup=0.2)
    assert guard.judge([6], flat, edges=6, epochs=10) is None
    assert guard.judge([1, 2, 2], flat, edges=6, epochs=10) is None
    assert guard.judge([1, 2, 3], flat, edges=6, epochs=10).epoch == 1
    assert guard.judge([4, 3, 3], flat, edges=6, epochs=10).epoch == 2


def test_the_guard_stops_what_has_little_left_that_learns():
    guard, none = Guard(warmup=0.2), [0] * 5
    assert guard.judge(none, [], idle=[6, 1, 2, 3, 4], edges=6, epochs=10) is None
    verdict = guard.judge(none, [], idle=[1, 2, 4, 4, 5], edges=6, epochs=10)
    assert verdict.epoch == 3
    assert verdict.reason == "5 of 6 edges learn nothing, more than 4"
    assert Guard(idle=1).judge(none, [], idle=[0, 0, 1, 1, 2], edges=6, epochs=10).epoch == 3
    assert guard.judge([5], [], idle=[6], edges=6, epochs=1).reason.startswith("5 of 6 edges are")


def test_the_guard_sees_the_eigenvalue_grow():
    calm, grown = [1.0] * 11, [9.0] * 2 + [1.0] * 5 + [1.0, 2.0, 2.0, 2.0]
    assert Guard().judge([0] * 11, calm, edges=6, epochs=10) is None
    verdict = Guard().judge([0] * 11, grown, edges=6, epochs=10)
    assert verdict.epoch == 6
    assert "factor of 1.60" in verdict.reason
    assert Guard().judge([0] * 11, [-x for x in grown], edges=6, epochs=10) is None


def test_the_guard_does_not_look_at_eigenvalues_of_its_warm_up():
    learning = [0.1, 0.2, 0.4, 0.8, 1.0] + [1.0] * 8
    for epochs in range(9, 14):
        assert Guard().judge([0] * epochs, learning[:epochs], edges=6, epochs=20) is None
    assert Guard(warmup=0.0).judge([0] * 9, learning[:9], edges=6, epochs=20).epoch == 4


def test_the_dominant_eigenvalue_of_a_quadratic():
    torch.manual_seed(0)
    at = {"a": torch.randn(2, dtype=torch.float64), "b": torch.randn(1, dtype=torch.float64)}

    def loss(x):
        return (2 * x["a"][0] ** 2 - 4 * x["a"][1] ** 2 + x["b"] ** 2).sum() / 2

    assert dominant_eigenvalue(loss, at, iterations=40) == pytest.approx(-4.0)
    assert dominant_eigenvalue(lambda x: x["a"].sum() ** 2 * 0 + x["b"].sum() ** 2, at) == 2.0


def test_what_cannot_be_searched_is_refused(few_digits):
    with pytest.raises(SearchError, match="there is no method 'snas'"):
        search_supernet(SPACE, few_digits, "snas")
    x = np.full_like(few_digits.train.x, np.nan)
    broken = replace(few_digits, train=replace(few_digits.train, x=x))
    with pytest.raises(SearchError, match="loss of the supernet is nan"):
        search_supernet(SPACE, broken, epochs=2, batch_size=32)
    values = Data.from_arrays(np.random.default_rng(0).random((30, 8, 8)), np.linspace(0, 1, 30))
    with pytest.raises(DataError, match="regression"):
        search_supernet(SPACE, values)
