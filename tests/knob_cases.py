"""Trainings whose knobs tune themselves, for the tests of stacks and of models alone."""

import numpy as np
import pytest
from torch import nn

from ripieno.ledger import MemoryArtifacts
from ripieno.recipes import Data, Recipe
from ripieno.records import Config, Order, OutcomeStatus

EPOCHS = 4
SIDE = 6
IMAGES = "rotation+color_jitter+input_noise"
FLIPS = {"flip": 0.5, "cutout": 0.3}


def table(kind="classification", rows=140):
    """80 rows to train on, 5 steps of 16, and 60 to validate on."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 6)).astype(np.float32)
    noisy = x[:, :3].sum(1) + rng.normal(size=rows)
    y = {
        "classification": np.where(noisy > 1.5, "rare", "usual"),
        "multilabel": np.stack([noisy > 0, x[:, 4] > 0.5], 1).astype(int),
        "regression": noisy,
    }[kind]
    task = {"task": "multilabel"} if kind == "multilabel" else {}
    return Data.from_arrays(x, y, seed=0, test_share=0, validation_share=60 / rows, **task)


def images():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(140, 3, SIDE, SIDE)).astype(np.float32)
    y = (x[:, 0, :3].sum((1, 2)) + 3 * rng.normal(size=140) > 0).astype(int)
    return Data.from_arrays(x, y, seed=0, test_share=0, validation_share=60 / 140)


def mlp(outputs):
    return lambda _: nn.Sequential(
        nn.Linear(6, 12), nn.Tanh(), nn.Dropout(0.1), nn.Linear(12, outputs)
    )


def cnn(_):
    inner = 4 * (SIDE - 2) ** 2
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(inner, 2))


OUTPUTS = {"classification": 2, "multilabel": 2, "regression": 1}
CASES = {
    "class weights": ("classification", "class_weights", {}),
    "class weights of focal": ("classification", "class_weights+focal_gamma", {"loss": "focal"}),
    "weights of labels": ("multilabel", "pos_weight", {}),
    "decay by layer": ("classification", "weight_decay_per_layer+l1", {}),
    "decay by parameter": ("classification", "weight_decay_per_parameter", {"optimizer": "sgd"}),
    "delta of huber": ("regression", "huber_delta", {"loss": "huber", "huber_delta": 0.4}),
    "images": ("images", IMAGES, FLIPS),
}


def case(name):
    kind, names, values = CASES[name]
    data, model = (images(), cnn) if kind == "images" else (table(kind), mlp(OUTPUTS[kind]))
    base = {"optimizer": "adam", "lr": 0.01, "batch_size": 16, "hypergradient": names}
    recipe = Recipe(model, epochs=EPOCHS, dtype="float64")
    return recipe, data, Config({**base, **values})


def train(runner, configs, *ends, trials=None, store=None):
    """Train in orders that end at the given epochs; return rows of metrics, and arrays."""
    store, start = store or MemoryArtifacts(), 0
    numbers = range(len(configs)) if trials is None else trials
    keys, rows = dict.fromkeys(numbers), {n: [] for n in numbers}
    for end in ends:
        orders = [
            Order(n, own, start, end, state=keys[n])
            for n, own in zip(numbers, configs, strict=True)
        ]
        for outcome in runner.run(orders, store, lambda: False):
            assert outcome.status is OutcomeStatus.DONE, outcome.error
            keys[outcome.order.trial] = outcome.state
            rows[outcome.order.trial] += outcome.metrics
        start = end
    return [(rows[n], store.read(keys[n])[0]) for n in numbers]


def alike(found, others, *, rtol=1e-9):
    """Check what two trainings gave: stacks choose kernels by the clock, which round otherwise."""
    (rows, arrays), (wanted, theirs) = found, others
    for row, other in zip(rows, wanted, strict=True):
        assert row == pytest.approx(dict(other), rel=rtol)
    assert set(arrays) == set(theirs)
    for name in arrays:
        np.testing.assert_allclose(arrays[name], theirs[name], rtol=rtol, atol=1e-12, err_msg=name)
