"""Metrics of values equal scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as sk

from ripieno.recipes import METRICS, measure

REFERENCE = {
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
    "mape": sk.mean_absolute_percentage_error,
    "pinball": sk.mean_pinball_loss,
    "pinball_0.9": lambda y, p: sk.mean_pinball_loss(y, p, alpha=0.9),
}


def value(name, y, p):
    return measure(p, y, metrics=(name,), task="regression")[name]


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("name", [*METRICS["regression"], "pinball_0.9"])
def test_a_metric_of_values_equals_scikit_learns(name, columns):
    rng = np.random.default_rng(0)
    y = rng.normal(50.0, 20.0, size=(200, columns)) * [1.0, 10.0, 0.1][:columns]
    p = y + rng.normal(size=y.shape)
    expected = REFERENCE[name](y, p)
    assert value(name, y, p) == pytest.approx(expected, rel=1e-12)
    if columns == 1:
        assert value(name, y[:, 0], p) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("guess", [3.0, 4.0])
def test_r2_of_a_constant_target_is_scikit_learns(guess):
    y, p = np.full(9, 3.0), np.full((9, 1), guess)
    assert value("r2", y, p) == sk.r2_score(y, p[:, 0]) == (1.0 if guess == 3.0 else 0.0)


def test_mape_of_a_target_of_zero_is_huge_and_warns_of_nothing():
    y, p = np.array([0.0, 1.0]), np.array([[1.0], [1.0]])
    assert value("mape", y, p) == sk.mean_absolute_percentage_error(y, p[:, 0])
