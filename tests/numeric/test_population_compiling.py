"""A stack that is compiled while it trains: whenever that is taken up, the numbers are the same."""

import time

import pytest
import torch
from torch import nn

from ripieno.population.beside import is_possible
from ripieno.population.choice import TIERS
from ripieno.population.compiler import Compiler
from ripieno.population.optimizers import Adam
from ripieno.population.remembered import Remembered
from ripieno.population.stack import Stack
from ripieno.population.step import Rules, fresh_statistics
from ripieno.population.tiers import Engine

MEMBERS = 3


def start(**options):
    torch.manual_seed(0)
    models = [
        nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double() for _ in range(MEMBERS)
    ]
    rates = torch.tensor([0.01, 0.02, 0.03], dtype=torch.float64)
    hyper = {"lr": rates, **{n: torch.full_like(rates, v) for n, v in Adam.defaults.items()}}
    stack = Stack.of(models, Adam(uses=frozenset()), hyper | {"lr": rates})
    return Engine(models[0], stack.layout, Rules(), **options), {
        **stack.arrays, **fresh_statistics(MEMBERS)
    }  # fmt: skip


def batch(step):
    generator = torch.Generator().manual_seed(step)
    return {
        "x": torch.randn(MEMBERS, 6, 4, generator=generator, dtype=torch.float64),
        "y": torch.randint(0, 3, (MEMBERS, 6), generator=generator),
        "keys": torch.zeros(MEMBERS, dtype=torch.int64),
        "rates": torch.full((MEMBERS,), 0.01, dtype=torch.float64),
        "active": torch.ones(MEMBERS, dtype=torch.bool),
    }


@pytest.mark.slow
@pytest.mark.skipif(not is_possible(), reason="needs POSIX")
def test_a_step_that_is_taken_up_on_the_way_goes_on_with_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    # A clock that always finds the higher tier faster; everything else is real.
    monkeypatch.setattr(
        Engine, "_measure", lambda self, tiers, *_: ({t: 1.0 + TIERS.index(t) for t in tiers}, "")
    )
    engine, arrays = start(compiler=Compiler(Remembered(tmp_path), beside=True))
    choice = engine.decide(arrays, batch(0), steps_left=1e9)
    if "C++ compiler" in choice.reason:
        pytest.skip(choice.reason)
    assert (choice.tier, choice.reason) == ("traced", "it is being compiled meanwhile")
    for step in range(4):
        engine.step(arrays, batch(step))
    deadline = time.monotonic() + 240.0
    while engine.choice is choice and time.monotonic() < deadline:
        time.sleep(0.1)
        engine.catch_up(arrays, batch(4), epoch=2)
    assert engine.choice.reason.startswith("from epoch 2 on: taking up what was compiled took")
    for step in range(4, 8):
        engine.step(arrays, batch(step))

    plain, expected = start(tier="traced")
    for step in range(8):
        plain.step(expected, batch(step))
    for name, array in expected.items():
        torch.testing.assert_close(arrays[name], array, rtol=1e-10, atol=1e-12)

    # What is known is worth taking up for little work, and no other process is needed.
    again, arrays = start(compiler=Compiler(Remembered(tmp_path), beside=True))
    found = again.decide(arrays, batch(0), steps_left=1e9)
    assert found.reason.startswith("taking up what was compiled took")
