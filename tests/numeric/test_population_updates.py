"""Updates of whole rows by a kernel give the trainer's numbers, whatever lies in memory how."""

import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Recipe, TrainerRunner
from ripieno.records import Order, OutcomeStatus


class Idle(nn.Module):
    """More than a thousand numbers, and a layer that nothing uses."""

    def __init__(self):
        super().__init__()
        self.first, self.idle = nn.Linear(4, 64), nn.Linear(3, 5)
        self.second, self.head = nn.Linear(64, 64), nn.Linear(64, 2)

    def forward(self, x):
        return self.head(torch.relu(self.second(torch.relu(self.first(x)))))


class Branching(nn.Module):
    """Two branches, of which a row's data choose one: no stack can follow."""

    def __init__(self):
        super().__init__()
        self.one, self.two = (
            nn.Sequential(nn.Linear(4, 150), nn.ReLU(), nn.Linear(150, 2)) for _ in range(2)
        )

    def forward(self, x):
        return self.one(x) if x.sum() > 0 else self.two(x)


def full(config):
    return nn.Sequential(
        nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
    )


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    return Data.from_arrays(x, (x[:, 0] > 0).astype(int), seed=0)


@pytest.mark.parametrize("rates", [(0.01, 0.01, 0.01), (0.01, 0.02, 0.01)], ids=["alike", "unlike"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize(
    ("factory", "tier"),
    [
        (full, "leaves"), (full, "traced"), (full, "vmap"),
        (lambda config: Idle(), "leaves"), (lambda config: Idle(), "traced"),
        (lambda config: Branching(), "leaves"),
    ],
    ids=["full-leaves", "full-traced", "full-vmap", "idle-leaves", "idle-traced", "branching-loop"],
)  # fmt: skip
def test_rows_follow_the_trainer(data, factory, tier, rates, optimizer):
    config = {"batch_size": 16, "optimizer": optimizer, "weight_decay": 0.01}
    recipe = Recipe(model=factory, epochs=3, dtype="float64")
    orders = [Order(t, rp.Config({"lr": lr, **config}), 0, 3) for t, lr in enumerate(rates)]
    stores = MemoryArtifacts(), MemoryArtifacts()
    runners = PopulationRunner(recipe, data, 0, tier=tier), TrainerRunner(recipe, data, 0)
    stacked, alone = (
        sorted(r.run(orders, s, lambda: False), key=lambda o: o.order.trial)
        for r, s in zip(runners, stores, strict=True)
    )
    for mine, theirs in zip(stacked, alone, strict=True):
        assert mine.status is theirs.status is OutcomeStatus.DONE
        one, same = stores[0].read(mine.state)[0], stores[1].read(theirs.state)[0]
        assert set(same) <= set(one)  # the stack keeps moments of what is never used, too
        for name, array in same.items():
            np.testing.assert_allclose(one[name], array, rtol=1e-8, atol=1e-10, err_msg=name)


def test_branches_that_are_not_always_taken_are_counted_by_the_trainer(data):
    recipe = Recipe(model=lambda config: Branching(), epochs=1)
    given = [{"optimizer": "adam"}, {"optimizer": "sgd", "lr": 0.1}]
    for own, alone in zip(given, (True, False), strict=True):
        orders = [Order(t, rp.Config({"batch_size": 16, **own}), 0, 1) for t in range(2)]
        runner = PopulationRunner(recipe, data, 0, tier="leaves")
        for outcome in runner.run(orders, MemoryArtifacts(), lambda: False):
            assert ("not every batch has a gradient" in outcome.notes) == alone


def test_branching_models_that_all_diverge_are_told_as_such(data):
    recipe = Recipe(model=lambda config: Branching(), epochs=2)
    orders = [
        Order(t, rp.Config({"batch_size": 16, "optimizer": "sgd", "lr": 1e30}), 0, 2)
        for t in range(2)
    ]
    runner = PopulationRunner(recipe, data, 0, tier="leaves")
    outcomes = list(runner.run(orders, MemoryArtifacts(), lambda: False))
    assert [o.status for o in outcomes] == [OutcomeStatus.DIVERGED] * 2
    assert all("the training loss was" in o.error for o in outcomes)


class Recurrent(nn.Module):
    """No branch, and no stack either: its rows are trained in the loop."""

    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.RNN(4, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.cell(x.unsqueeze(1))[0][:, -1])


def test_the_loop_goes_on_counting_when_all_rows_have_diverged(data):
    recipe = Recipe(model=lambda config: Recurrent(), epochs=2)
    config = rp.Config({"batch_size": 16, "optimizer": "adam", "lr": 1e38})
    runner = PopulationRunner(recipe, data, 0, tier="leaves")
    orders = [Order(t, config, 0, 2) for t in range(2)]
    outcomes = list(runner.run(orders, MemoryArtifacts(), lambda: False))
    assert [o.status for o in outcomes] == [OutcomeStatus.DIVERGED] * 2
    assert all(o.notes.startswith("2 rows; loop: ") for o in outcomes)
