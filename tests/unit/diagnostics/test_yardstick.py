import math

import numpy as np
import pytest
from torch import nn

import ripieno as rp
from ripieno.diagnostics.yardstick import Yardstick

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
VALUES = np.exp(X[:, 0]) * 40.0


def stick(y, **config):
    data = rp.Data.from_arrays(X, y)
    recipe = rp.Recipe(lambda c: nn.Linear(3, data.outputs))
    return Yardstick.of(recipe, data, config), data


def test_of_classes_the_constant_answer_costs_their_entropy():
    found, data = stick((X[:, 0] > 0.5).astype(int))
    shares = (np.bincount(data.train.y) + 1) / (len(data.train) + 2)
    assert found.metric == "log_loss"
    assert found.constant_loss(data.train.y) == pytest.approx(-np.log(shares)[data.train.y].mean())
    assert found.loss({"log_loss": 0.3}) == 0.3


def test_of_labels_it_costs_the_mean_of_theirs():
    found, data = stick((X > [0.0, 0.7, -0.3]).astype(int))
    y = data.train.y
    p = (y.sum(axis=0) + 1) / (len(y) + 2)
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    assert found.constant_loss(y) == pytest.approx(expected)


def test_of_values_it_costs_one_in_any_unit():
    found, data = stick(VALUES)
    assert found.metric == "rmse"
    assert found.constant_loss(data.train.y) == pytest.approx(1.0)
    assert found.loss({"rmse": data.train.y.std()}) == pytest.approx(1.0)
    assert found.loss({"rmse": data.train.y.std() / 2}) == pytest.approx(0.25)


@pytest.mark.parametrize("loss", ["l1", "huber"])
def test_of_absolute_errors_the_median_is_the_constant(loss):
    found, data = stick(VALUES, loss=loss)
    spread = np.abs(data.train.y - np.median(data.train.y)).mean()
    assert found.metric == "mae"
    assert found.loss({"mae": spread}) == pytest.approx(1.0)


def test_a_quantile_has_no_yardstick():
    found, data = stick(VALUES, loss="quantile", quantile_level=0.9)
    assert found.metric is None
    assert math.isnan(found.loss({"rmse": 1.0}))
    assert math.isnan(found.constant_loss(data.train.y))


def test_the_curve_of_a_trial_that_keeps_its_best_epoch_is_that_of_its_epochs():
    found, _ = stick((X[:, 0] > 0).astype(int))
    assert found.epoch_loss({"log_loss": 0.2, "last_log_loss": 0.5}) == 0.5
    assert found.epoch_loss({"log_loss": 0.2}) == 0.2
