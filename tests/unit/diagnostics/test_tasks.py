"""The doctor at trainings whose targets are labels or values."""

import numpy as np
import pytest
from torch import nn

from ripieno.diagnostics import diagnose, inspect
from ripieno.recipes import Data, Recipe
from ripieno.space import Config

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4))
Y = {
    "regression": X @ [1.0, -2.0, 0.5, 0.0] * 300.0 + 5e4 + 20.0 * RNG.normal(size=400),
    "multilabel": (X + 0.2 * RNG.normal(size=X.shape) > 0.3).astype(int),
}


def net(outputs):
    return lambda c: nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, outputs))


@pytest.mark.parametrize("task", Y)
def test_a_healthy_training_raises_no_alarm(task):
    data = Data.from_arrays(X, Y[task])
    found = diagnose(Recipe(net(data.outputs)), data, Config({"lr": 0.01}))
    assert not found.alarms
    assert found.range_test is not None
    assert not inspect(data)


@pytest.mark.parametrize("task", Y)
def test_a_learning_rate_that_is_far_too_high_is_named(task):
    data = Data.from_arrays(X, Y[task])
    found = diagnose(Recipe(net(data.outputs)), data, Config({"lr": 30.0, "optimizer": "sgd"}))
    assert "learning_rate_too_high" in {finding.kind for finding in found.alarms}


def kinds(found):
    return {finding.kind for finding in found.alarms}


@pytest.mark.parametrize("task", Y)
def test_targets_that_were_shuffled_are_named(task):
    data = Data.from_arrays(X, np.random.default_rng(1).permutation(Y[task]))
    wide = lambda c: nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, data.outputs))  # noqa: E731
    assert kinds(diagnose(Recipe(wide), data, Config({"lr": 0.01}))) == {"labels_without_signal"}


@pytest.mark.parametrize("task", Y)
@pytest.mark.parametrize("last", [nn.Sigmoid, nn.ReLU])
def test_outputs_that_cannot_be_what_is_wanted_are_named(task, last):
    data = Data.from_arrays(X, Y[task])
    model = lambda c: nn.Sequential(net(data.outputs)(c), last())  # noqa: E731
    assert "wrong_loss" in kinds(diagnose(Recipe(model), data, Config({"lr": 0.01})))


def test_a_dropout_that_is_too_strong_is_named_for_values():
    data = Data.from_arrays(X, Y["regression"])
    model = lambda c: nn.Sequential(  # noqa: E731
        nn.Linear(4, 64), nn.ReLU(), nn.Dropout(0.95), nn.Linear(64, 1)
    )
    assert "strong_dropout" in kinds(diagnose(Recipe(model), data, Config({"lr": 0.01})))


def test_values_trained_on_a_quantile_are_not_blamed_for_missing_the_mean():
    data = Data.from_arrays(X, Y["regression"])
    config = Config({"lr": 0.01, "loss": "quantile", "quantile_level": 0.95})
    assert not diagnose(Recipe(net(1)), data, config).alarms


def test_labels_of_hardly_any_row_and_too_few_rows_are_told():
    rare = Y["multilabel"].copy()
    rare[:, 2] = 0
    rare[::90, 2] = 1
    (finding,) = inspect(Data.from_arrays(X, rare))
    assert (finding.kind, finding.severity) == ("class_imbalance", "advice")
    assert "pos_weight" in finding.advice
    (few,) = inspect(Data.from_arrays(X[:40], Y["regression"][:40]))
    assert (few.kind, few.severity) == ("too_little_data", "warning")
