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
