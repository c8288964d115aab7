"""Mother test 1: a population's rows are the models that the trainer trains, number by number."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Recipe, State, TrainerRunner, build_optimizer, read_knobs
from ripieno.records import Order, OutcomeStatus

EPOCHS = 4


@pytest.fixture(scope="module")
def data() -> Data:
    """Rows that leave a short last batch: 77 = 4 * 16 + 13."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(129, 1, 6, 6)).astype(np.float32)
    y = (x[:, 0, :3].sum(axis=(1, 2)) > x[:, 0, 3:].sum(axis=(1, 2))).astype(int)
    return Data.from_arrays(x, y, seed=0)


def mlp(config: rp.Config) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(36, 8), nn.Tanh(), nn.Dropout(config.dropout), nn.Linear(8, 2)
    )


def cnn(config: rp.Config) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout2d(config.dropout), nn.Conv2d(4, 4, 3), nn.GELU(), nn.Flatten(),
        nn.Linear(4, 2),
    )  # fmt: skip


class Attention(nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.mix = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm = nn.LayerNorm(6)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        x = x.squeeze(1)
        x = self.norm(x + self.mix(x, x, x, need_weights=False)[0])
        return self.head(self.drop(x).mean(1))


class Recurrent(nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.cell = nn.GRU(6, 5, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.drop(self.cell(x.squeeze(1))[0][:, -1]))


class Branching(nn.Module):
    """Asks its data which way to go: no stack can follow."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(36, 2), nn.Linear(36, 2)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        x = self.drop(x.flatten(1))
        return self.one(x) if x.sum() > 0 else self.two(x)


class Tied(nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(36, 36), nn.Linear(36, 36)
        self.two.weight = self.one.weight
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(36, 2)

    def forward(self, x):
        return self.head(self.drop(torch.tanh(self.two(torch.tanh(self.one(x.flatten(1)))))))


MODELS = {
    "mlp": mlp,
    "cnn": cnn,
    "attention": lambda c: Attention(c.dropout),
    "recurrent": lambda c: Recurrent(c.dropout),
    "branching": lambda c: Branching(c.dropout),
    "tied": lambda c: Tied(c.dropout),
}
OPTIMIZERS = {
    "sgd": {"momentum": 0.9, "nesterov": True, "lr": 0.05},
    "adam": {"lr": 0.01, "beta2": 0.99},
    "adamw": {"lr": 0.01},
    "rmsprop": {"lr": 0.005, "momentum": 0.5},
}
SCHEDULES = ("constant", "cosine", "exponential", "polynomial")


def configs(optimizer: str, schedule: str, rows: int = 3) -> list[rp.Config]:
    """Return configs that differ in every number that a row may have for itself."""
    rng = np.random.default_rng(7)
    made = []
    for row in range(rows):
        values = {
            "optimizer": optimizer, "schedule": schedule, "batch_size": 16,
            "dropout": float(rng.uniform(0.0, 0.5)), "weight_decay": float(rng.uniform(0, 0.01)),
            "l1": float(rng.uniform(0, 0.001)) * (row % 2),
            "gradient_clip": float(rng.uniform(0.5, 2.0)) * (row % 2),
            "label_smoothing": float(rng.uniform(0, 0.1)), "warmup_epochs": float(row % 2),
            "class_weights": "balanced" if row == 1 else None,
            **OPTIMIZERS[optimizer],
        }  # fmt: skip
        values["lr"] *= float(rng.uniform(0.5, 1.5))
        made.append(rp.Config(values))
    return made


def recipe(model: str) -> Recipe:
    return Recipe(model=MODELS[model], epochs=EPOCHS, dtype="float64")


def train(runner, orders, store):
    outcomes = {o.order.trial: o for o in runner.run(orders, store, lambda: False)}
    return [outcomes[order.trial] for order in orders]


def states(outcome, store):
    return store.read(outcome.state)[0]


def agree(outcome, wanted, stores):
    """Compare two outcomes: rows of metrics, every stored array, every prediction."""
    assert outcome.status is wanted.status
    assert len(outcome.metrics) == len(wanted.metrics)
    for row, other in zip(outcome.metrics, wanted.metrics, strict=True):
        assert row == pytest.approx(dict(other), rel=1e-9, abs=1e-11)
    if wanted.state is None:
        assert outcome.state is None
        return
    got, expected = states(outcome, stores[0]), states(wanted, stores[1])
    assert set(got) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(got[name], array, rtol=1e-7, atol=1e-10, err_msg=name)
    mine = stores[0].read(outcome.predictions)[0]["probabilities"]
    theirs = stores[1].read(wanted.predictions)[0]["probabilities"]
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


def compare(model, optimizer, schedule, data, *, tier):
    orders = [Order(t, c, 0, EPOCHS) for t, c in enumerate(configs(optimizer, schedule))]
    stores = (MemoryArtifacts(), MemoryArtifacts())
    got = train(PopulationRunner(recipe(model), data, 3, tier=tier), orders, stores[0])
    wanted = train(TrainerRunner(recipe(model), data, 3), orders, stores[1])
    for mine, theirs in zip(got, wanted, strict=True):
        agree(mine, theirs, stores)
    return got


@pytest.mark.parametrize("model", ["mlp", "cnn"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_optimizer_and_schedule_gives_the_trainers_numbers(model, optimizer, schedule, data):
    got = compare(model, optimizer, schedule, data, tier="traced")
    assert all(outcome.notes.startswith("3 rows; traced") for outcome in got)


@pytest.mark.parametrize("tier", ["leaves", "vmap", "loop"])
@pytest.mark.parametrize("model", ["mlp", "cnn", "attention", "tied"])
def test_every_tier_gives_the_trainers_numbers(model, tier, data):
    # Not Adam for attention: the gradient of the keys' bias is zero but for rounding, which
    # Adam would blow up to steps of full size.
    optimizer = "sgd" if model == "attention" else "adam"
    got = compare(model, optimizer, "cosine", data, tier=tier)
    notes = got[0].notes
    if (model, tier) == ("attention", "vmap"):
        assert notes.startswith("3 rows; loop: vmap would run row by row anyway")
    elif tier == "loop":
        assert notes == "one model after another: the loop tier was asked for"
    else:
        assert notes.startswith(f"3 rows; {tier}: forced")


@pytest.mark.parametrize("model", ["recurrent", "branching"])
def test_a_model_that_cannot_be_stacked_is_trained_in_the_loop(model, data):
    got = compare(model, "sgd", "constant", data, tier="traced")
    assert all(outcome.notes.startswith("3 rows; loop: ") for outcome in got)


def test_rows_of_different_lengths_and_beginnings_go_on_as_they_would_alone(data):
    """Fresh rows, one that goes on from epoch 2, a fork, and orders of different ends."""
    made = configs("adam", "cosine", rows=4)
    stores = (MemoryArtifacts(), MemoryArtifacts())
    runners = (
        PopulationRunner(recipe("cnn"), data, 3, tier="traced"),
        TrainerRunner(recipe("cnn"), data, 3),
    )
    first = [Order(0, made[0], 0, 2), Order(1, made[1], 0, 2)]
    begun = [train(r, first, s) for r, s in zip(runners, stores, strict=True)]
    results = []
    for runner, store, outcomes in zip(runners, stores, begun, strict=True):
        orders = [
            Order(0, made[0], 2, 4, state=outcomes[0].state),
            Order(2, made[2], 0, 1),
            Order(3, made[3], 2, 3, parent=1, state=outcomes[1].state),
            Order(4, made[1], 0, 3),
        ]
        results.append(train(runner, orders, store))
    for mine, theirs in zip(*results, strict=True):
        agree(mine, theirs, stores)


def test_a_row_that_diverges_is_frozen_and_its_neighbours_do_not_notice(data):
    good = configs("sgd", "constant")
    wild = rp.Config({**good[0], "lr": 1e30})
    stores = (MemoryArtifacts(), MemoryArtifacts())
    orders = [Order(0, good[0], 0, 3), Order(1, wild, 0, 3), Order(2, good[2], 0, 3)]
    got = train(PopulationRunner(recipe("cnn"), data, 3, tier="traced"), orders, stores[0])
    wanted = train(TrainerRunner(recipe("cnn"), data, 3), orders, stores[1])
    for mine, theirs in zip(got, wanted, strict=True):
        agree(mine, theirs, stores)
    assert got[1].status is OutcomeStatus.DIVERGED
    assert got[1].error == wanted[1].error


def test_stopping_keeps_the_epochs_that_were_finished(data):
    made = configs("adam", "constant")
    orders = [Order(t, c, 0, 4) for t, c in enumerate(made)]
    store = MemoryArtifacts()
    asked = iter(range(1_000))
    # 5 steps and 1 part of the validation an epoch: stop within the third.
    stopped = {
        o.order.trial: o
        for o in PopulationRunner(recipe("mlp"), data, 3, tier="traced").run(
            orders, store, lambda: next(asked) > 14
        )
    }
    whole = train(TrainerRunner(recipe("mlp"), data, 3),
                  [Order(t, c, 0, 2) for t, c in enumerate(made)], store)  # fmt: skip
    for trial, outcome in stopped.items():
        assert outcome.status is OutcomeStatus.STOPPED
        agree(dataclasses.replace(outcome, status=OutcomeStatus.DONE), whole[trial], (store, store))


def test_an_extracted_row_goes_on_in_torch_optim_as_in_the_stack(data):
    """Load a row into the user's module and a plain torch.optim optimizer, and train on."""
    made = configs("adamw", "constant")
    plain = [rp.Config({**c, "dropout": 0.0, "l1": 0.0, "gradient_clip": 0.0,
                        "label_smoothing": 0.0, "class_weights": None, "warmup_epochs": 0.0,
                        "batch_size": 77}) for c in made]  # fmt: skip
    store = MemoryArtifacts()
    runner = PopulationRunner(recipe("mlp"), data, 3, tier="traced")
    begun = train(runner, [Order(t, c, 0, 2) for t, c in enumerate(plain)], store)
    further = train(runner, [Order(t, c, 2, 3, state=begun[t].state)
                             for t, c in enumerate(plain)], store)  # fmt: skip
    module = mlp(plain[1]).double()
    optimizer = build_optimizer(module, read_knobs(plain[1]))
    state = State.from_arrays(store.read(begun[1].state)[0], epoch=2)
    state.load_into(module, optimizer, slots=frozenset({"step", "exp_avg", "exp_avg_sq"}))
    # One batch of all rows: their order changes nothing but rounding.
    x, y = torch.from_numpy(data.train.x).double(), torch.from_numpy(data.train.y)
    nn.functional.cross_entropy(module(x), y).backward()
    optimizer.step()
    expected = states(further[1], store)
    for name, parameter in module.named_parameters():
        np.testing.assert_allclose(
            parameter.detach().numpy(), expected[f"model/{name}"], rtol=1e-9, atol=1e-11
        )
