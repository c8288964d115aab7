import numpy as np
import pytest
from sklearn import metrics as sk

from ripieno.recipes import measure, measure_scores


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.ones(6), 300), rng.integers(6, size=300)


def test_measures_equal_scikit_learns(predictions):
    probabilities, y = predictions
    measured = measure(probabilities, y)
    assert measured["log_loss"] == pytest.approx(sk.log_loss(y, probabilities), rel=1e-12)
    assert measured["accuracy"] == sk.accuracy_score(y, probabilities.argmax(1))


def test_log_loss_of_log_probabilities_does_not_saturate():
    logs = np.array([[0.0, -2000.0], [0.0, -2000.0]])
    measured = measure_scores(logs, np.array([0, 1]), task="classification")
    assert measured == {"log_loss": 1000.0, "accuracy": 0.5}


def test_a_probability_of_zero_costs_much_but_not_everything():
    value = measure(np.array([[1.0, 0.0]], dtype=np.float32), np.array([1]))["log_loss"]
    assert value == pytest.approx(-np.log(np.finfo(np.float32).tiny))


def test_float32_probabilities_are_averaged_in_float64(predictions):
    probabilities, y = predictions
    single = probabilities.astype(np.float32)
    expected = -np.log(single.astype(np.float64)[np.arange(300), y]).mean()
    assert measure(single, y)["log_loss"] == pytest.approx(expected, rel=1e-14)
