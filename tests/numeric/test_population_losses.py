"""Every loss in every tier gives the trainer's numbers, row by row, in float64."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ripieno as rp
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Recipe, TrainerRunner
from ripieno.records import Order, OutcomeStatus

EPOCHS = 3
OUTPUTS = {"classification": 3, "multilabel": 4, "regression": 2}
OPTIONS = {
    # What the first, second and third row have for themselves.
    "cross_entropy": ({}, {"class_weights": "balanced"}, {"label_smoothing": 0.1}),
    "focal": (
        {"focal_gamma": 0.0},
        {"focal_gamma": 0.5, "class_weights": "balanced", "pos_weight": "balanced"},
        {"focal_gamma": 3.0},
    ),
    "binary_cross_entropy": ({}, {"pos_weight": "balanced"}, {"pos_weight": None}),
    "mse": ({}, {}, {}),
    "l1": ({}, {}, {}),
    "huber": ({}, {"huber_delta": 0.3}, {"huber_delta": 2.0}),
    "quantile": ({}, {"quantile_level": 0.1}, {"quantile_level": 0.9}),
}
CASES = [
    ("classification", "cross_entropy"), ("classification", "focal"),
    ("multilabel", "binary_cross_entropy"), ("multilabel", "focal"),
    ("regression", "mse"), ("regression", "l1"), ("regression", "huber"),
    ("regression", "quantile"),
]  # fmt: skip


@pytest.fixture(scope="module")
def parts() -> dict[str, Data]:
    """Rows that leave a short last batch: 77 = 4 * 16 + 13 or so."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(129, 6))
    made = x @ rng.normal(size=(6, 4)) + 0.3 * rng.normal(size=(129, 4))
    y = {
        "classification": made[:, :3].argmax(axis=1),
        "multilabel": (made > 0.7).astype(int),
        "regression": made[:, :2] * [1.0, 300.0] + [0.0, 5e4],
    }
    return {task: Data.from_arrays(x, targets, task=task) for task, targets in y.items()}


def mlp(outputs: int):
    return lambda config: nn.Sequential(
        nn.Linear(6, 8), nn.Tanh(), nn.Dropout(config.dropout), nn.Linear(8, outputs)
    )


def orders(loss: str, task: str) -> list[Order]:
    made = []
    for row, own in enumerate(OPTIONS[loss]):
        values = {
            "loss": loss, "lr": 0.1 * (row + 1), "optimizer": "sgd", "batch_size": 16,
            "dropout": 0.1 * row, "weight_decay": 1e-3 * row, **own,
        }  # fmt: skip
        made.append(Order(row, rp.Config(values), 0, EPOCHS))
    return made


def agree(got, wanted, stores, stored):
    assert got.status is wanted.status is OutcomeStatus.DONE
    for row, other in zip(got.metrics, wanted.metrics, strict=True):
        assert row == pytest.approx(dict(other), rel=1e-9, abs=1e-11)
    mine, theirs = stores[0].read(got.state)[0], stores[1].read(wanted.state)[0]
    assert set(mine) == set(theirs)
    for name, array in theirs.items():
        np.testing.assert_allclose(mine[name], array, rtol=1e-7, atol=1e-10, err_msg=name)
    mine, theirs = (
        s.read(o.predictions)[0][stored] for s, o in zip(stores, (got, wanted), strict=True)
    )
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


def compare(recipe, data, made, *, tier):
    stores = (MemoryArtifacts(), MemoryArtifacts())
    runners = (PopulationRunner(recipe, data, 3, tier=tier), TrainerRunner(recipe, data, 3))
    got, wanted = (
        sorted(r.run(made, s, lambda: False), key=lambda o: o.order.trial)
        for r, s in zip(runners, stores, strict=True)
    )
    for mine, theirs in zip(got, wanted, strict=True):
        agree(mine, theirs, stores, data.coding.stored)
    return got, wanted


class Branching(nn.Module):
    """Asks its data which way to go: no stack can follow."""

    def __init__(self, outputs: int, dropout: float) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(6, outputs), nn.Linear(6, outputs)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        x = self.drop(x)
        return self.one(x) if x.sum() > 0 else self.two(x)


@pytest.mark.parametrize(("task", "loss"), CASES)
def test_every_loss_gives_the_trainers_numbers_row_by_row(task, loss, parts):
    recipe = Recipe(lambda c: Branching(OUTPUTS[task], c.dropout), epochs=EPOCHS, dtype="float64")
    got, _ = compare(recipe, parts[task], orders(loss, task), tier="leaves")
    assert all(outcome.notes.startswith("3 rows; loop: ") for outcome in got)


@pytest.mark.parametrize("tier", ["traced", "leaves", "vmap"])
@pytest.mark.parametrize(("task", "loss"), CASES)
def test_every_loss_gives_the_trainers_numbers_in_the_stacked_tiers(task, loss, tier, parts):
    recipe = Recipe(mlp(OUTPUTS[task]), epochs=EPOCHS, dtype="float64")
    got, _ = compare(recipe, parts[task], orders(loss, task), tier=tier)
    assert all(outcome.notes.startswith(f"3 rows; {tier}: forced") for outcome in got)


def one_an_example(outputs, y):
    return ((outputs - y).abs() ** 1.5).sum(1)


def one_for_all(outputs, y):
    return F.smooth_l1_loss(outputs, y)


def asks_its_data(outputs, y):
    return (outputs - y).abs().mean() if bool((outputs > y).all()) else ((outputs - y) ** 2).mean()


@pytest.mark.parametrize("loss", [one_an_example, one_for_all, nn.MSELoss()])
def test_a_users_own_loss_is_stacked_where_vmap_can(loss, parts):
    recipe = Recipe(mlp(2), loss=loss, epochs=EPOCHS, dtype="float64")
    made = [Order(t, rp.Config({"lr": 0.01 * (t + 1), "dropout": 0.2}), 0, EPOCHS)
            for t in range(3)]  # fmt: skip
    got, _ = compare(recipe, parts["regression"], made, tier="traced")
    assert all(outcome.notes.startswith("3 rows; traced: forced") for outcome in got)


def test_a_users_own_loss_that_asks_its_data_is_trained_in_the_loop(parts):
    recipe = Recipe(mlp(2), loss=asks_its_data, epochs=EPOCHS, dtype="float64")
    made = [Order(t, rp.Config({"lr": 0.01, "dropout": 0.2}), 0, EPOCHS) for t in range(2)]
    got, _ = compare(recipe, parts["regression"], made, tier="traced")
    assert all(outcome.notes.startswith("2 rows; loop: it cannot be stacked") for outcome in got)


def test_a_users_own_mean_trains_as_the_built_in_one_does(parts):
    made = [Order(0, rp.Config({"lr": 0.01, "dropout": 0.2}), 0, EPOCHS)]
    store = MemoryArtifacts()
    states = []
    for loss in ("mse", F.mse_loss):
        recipe = Recipe(mlp(2), loss=loss, epochs=EPOCHS, dtype="float64")
        (outcome,) = TrainerRunner(recipe, parts["regression"], 3).run(made, store, lambda: False)
        states.append(store.read(outcome.state)[0])
    for name, array in states[0].items():
        np.testing.assert_allclose(states[1][name], array, rtol=1e-9, atol=1e-12, err_msg=name)


def test_losses_of_different_names_are_rows_of_different_stacks(parts):
    recipe = Recipe(mlp(2), epochs=EPOCHS)
    runner = PopulationRunner(recipe, parts["regression"])
    groups = {
        loss: runner.group(Order(0, rp.Config({"loss": loss, "dropout": 0.1}), 0, 1))
        for loss in ("mse", "l1", "huber")
    }
    assert len(set(groups.values())) == 3
    plain = Order(1, rp.Config({"dropout": 0.3, "huber_delta": 0.2}), 0, 1)
    assert runner.group(plain) == groups["mse"]


@pytest.mark.parametrize("tier", ["traced", "leaves"])
def test_outputs_of_another_width_fail_the_trials_and_are_never_broadcast(tier, parts):
    recipe = Recipe(mlp(1), epochs=EPOCHS)
    made = [Order(t, rp.Config({"dropout": 0.1}), 0, 1) for t in range(2)]
    runner = PopulationRunner(recipe, parts["regression"], tier=tier)
    for outcome in runner.run(made, MemoryArtifacts(), lambda: False):
        assert outcome.status is OutcomeStatus.FAILED
        assert "outputs of shape (16, 2) are needed" in outcome.error or (
            "outputs of shape (32, 2) are needed" in outcome.error
        )


def test_training_in_the_targets_own_units_and_on_scaled_ones_measures_alike(parts):
    """One step of plain gradient descent, worked out in the target's own units."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 3)), rng.normal(50.0, 20.0, size=60)
    data = Data.from_arrays(x, y, test_share=0.0)
    raw = Data.from_arrays(x, y, test_share=0.0, scale_targets=False)
    assert raw.coding.scale == (1.0,)
    config = rp.Config({"lr": 0.1, "optimizer": "sgd", "batch_size": 1000})

    def line(_):
        return nn.Linear(3, 1)

    store = MemoryArtifacts()
    found = {}
    for name, part in (("scaled", data), ("raw", raw)):
        runner = TrainerRunner(Recipe(line, dtype="float64"), part, 0)
        (outcome,) = runner.run([Order(0, config, 0, 1)], store, lambda: False)
        found[name] = (outcome, store.read(outcome.state)[0])
        weight, bias = found[name][1]["model/weight"], found[name][1]["model/bias"]
        values = part.validation.x.astype(float) @ weight[0] + bias[0]
        values = values * part.coding.scale[0] + part.coding.mean[0]
        expected = float(np.sqrt(np.mean((values - part.validation.y) ** 2)))
        assert outcome.metrics[-1]["rmse"] == pytest.approx(expected, rel=1e-12)
        stored = store.read(outcome.predictions)[0]["values"]
        np.testing.assert_allclose(stored[:, 0], values, rtol=1e-12)
    assert found["scaled"][0].metrics[0]["train_loss"] < found["raw"][0].metrics[0]["train_loss"]
    assert torch.get_default_dtype() is torch.float32
