from dataclasses import replace

import pytest
import torch

from ripieno.errors import SearchError
from ripieno.nas import (
    Darts,
    DrNas,
    Guard,
    PcDarts,
    cell_space,
    search_supernet,
    search_supernets,
)

SPACE = cell_space(filters=2, stages=1)
FEW = {"epochs": 2, "batch_size": 24, "guard": None, "alpha_lr": 0.1}


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("space", "method"),
    [
        (SPACE, Darts()),
        (SPACE, Darts(beta=0.0, warmup=0.5)),
        (SPACE, PcDarts(share=2, warmup=0.0)),
        (SPACE, DrNas()),
    ],
    ids=["beta", "plain", "pc_darts", "drnas"],
)
def test_each_row_of_a_stack_is_the_search_that_it_is_alone(few_digits, double, space, method):
    seen = []
    found = search_supernets(
        space, few_digits, method, restarts=2, report=lambda *of: seen.append(of), **FEW
    )
    assert [restart.loss for restart in found] == sorted(restart.loss for restart in found)
    for restart in found:
        alone = search_supernet(space, few_digits, method, seed=restart.seed, **FEW)
        assert restart.found.config == alone.config
        assert [own for own in seen if own[0] == restart.seed] == [
            (restart.seed, epoch) for epoch in restart.found.epochs
        ]
        for kind, strength in alone.strengths.items():
            torch.testing.assert_close(restart.found.strengths[kind], strength, rtol=1e-9, atol=0)
        for epoch, own in zip(restart.found.epochs, alone.epochs, strict=True):
            assert epoch.config == own.config
            assert epoch.train_loss == pytest.approx(own.train_loss, rel=1e-9)
            assert epoch.loss == pytest.approx(own.loss, rel=1e-9)
            assert epoch.eigenvalue == pytest.approx(own.eigenvalue, rel=1e-6)


def test_a_row_that_its_guard_stops_leaves_the_others_as_they_are(few_digits, double):
    few = {**FEW, "epochs": 4, "guard": Guard(skips=1, ratio=9.0, warmup=0.2)}
    found = search_supernets(SPACE, few_digits, Darts(beta=0.0), restarts=4, seed=3, **few)
    alone = [
        search_supernet(SPACE, few_digits, Darts(beta=0.0), seed=n, **few) for n in range(3, 7)
    ]
    by_seed = {restart.seed: restart.found for restart in found}
    assert [by_seed[n].stopped for n in range(3, 7)] == [own.stopped for own in alone]
    assert [by_seed[n].config for n in range(3, 7)] == [own.config for own in alone]
    lengths = [len(own.epochs) for own in alone]
    assert [len(by_seed[n].epochs) for n in range(3, 7)] == lengths
    assert len(set(lengths)) > 1  # or this test shows nothing


@pytest.mark.parametrize("method", ["gdas", "darts2"])
def test_searches_that_are_no_stack_are_made_one_after_another(few_digits, method):
    few = {**FEW, "epochs": 1}
    found = search_supernets(SPACE, few_digits, method, restarts=2, **few)
    for restart in found:
        alone = search_supernet(SPACE, few_digits, method, seed=restart.seed, **few)
        assert restart.found.epochs == alone.epochs


def test_a_stack_is_as_wide_as_allowed(few_digits):
    wide, narrow = (
        search_supernets(SPACE, few_digits, restarts=3, width=width, **{**FEW, "epochs": 1})
        for width in (3, 2)
    )
    assert [restart.found.config for restart in wide] == [own.found.config for own in narrow]


@pytest.mark.parametrize("width", [1, 2])
def test_no_search_that_is_left_is_an_error(few_digits, width):
    x = few_digits.train.x * float("nan")
    broken = replace(few_digits, train=replace(few_digits.train, x=x))
    with pytest.raises(SearchError, match="loss of the supernet is nan"):
        search_supernets(SPACE, broken, restarts=2, width=width, **FEW)


def test_no_restarts_are_refused(few_digits):
    with pytest.raises(SearchError, match="restarts = 0"):
        search_supernets(SPACE, few_digits, restarts=0)
    with pytest.raises(SearchError, match="a controller is searched with once"):
        search_supernets(SPACE, few_digits, "enas")
