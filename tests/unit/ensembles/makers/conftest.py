"""Small data and models, in float64 so that equal means equal."""

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.ledger import MemoryArtifacts
from ripieno.recipes import Data, Recipe, State, TrainerRunner, build_model, complete, draws
from ripieno.records import Order


@pytest.fixture(scope="session")
def blobs():
    """Three classes that overlap: 60 training rows of 5 features."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 100)
    x = rng.normal(size=(100, 5)) + 1.2 * np.eye(5)[y]
    return Data.from_arrays(x.astype(np.float32), y, seed=0)


@pytest.fixture(scope="session")
def line():
    """A regression on three features with noise: 48 training rows."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 3)).astype(np.float32)
    y = x @ [3.0, -2.0, 0.5] + rng.normal(size=80)
    return Data.from_arrays(x, y, seed=0)


def network(config):
    """A small network; ``norm`` puts a batch norm into it."""
    hidden = config.get("hidden", 8)
    norm = [nn.BatchNorm1d(hidden)] if config.get("norm") else []
    return nn.Sequential(nn.Linear(5, hidden), *norm, nn.Tanh(), nn.Linear(hidden, 3))


@pytest.fixture
def recipe():
    """Four epochs of the small network."""
    return Recipe(model=network, epochs=4, dtype="float64")


@pytest.fixture
def trained_alone():
    """States of members that the plain trainer trains one after the other, seed 7."""

    def train(recipe, data, configs, **options):
        store = MemoryArtifacts()
        orders = [Order(n, config, 0, recipe.epochs) for n, config in enumerate(configs)]
        outcomes = TrainerRunner(recipe, data, 7, **options).run(orders, store, lambda: False)
        return [State.from_arrays(store.read(outcome.state)[0]).model for outcome in outcomes]

    return train


@pytest.fixture
def assert_equal_members():
    """Compares the members of an ensemble with states, number for number."""

    def compare(ensemble, states):
        for member, state in zip(ensemble.members, states, strict=True):
            for name, tensor in member.state_dict().items():
                torch.testing.assert_close(tensor, state[name], rtol=0, atol=1e-10)

    return compare


class Plain:
    """One model in a plain torch loop, with the draws that member ``trial`` of seed 7 has."""

    def __init__(self, recipe, data, config, *, trial=0):
        self.seed = draws.trial_seed(7, trial)
        self.model = build_model(complete(recipe, data), config, self.seed)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=config["lr"])
        self.x = torch.from_numpy(data.train.x).double()
        self.y = data.coding.encode(data.train.y, torch.float64)
        self.size = config["batch_size"]

    def batches(self, epoch):
        """The rows of each batch of an epoch."""
        return draws.epoch_order(self.seed, epoch, rows=len(self.x)).split(self.size)

    def step(self, loss):
        """Descend along the gradient of a loss."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    @property
    def state(self):
        """A copy of the state dict."""
        return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}


@pytest.fixture
def plain():
    """Builds a :class:`Plain`."""
    return Plain
