import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression

from ripieno.ensembles import (
    CALIBRATORS,
    Isotonic,
    Predictions,
    Temperature,
    Vector,
    calibrate,
    calibrated,
    classwise_calibration_error,
    expected_calibration_error,
    log_loss,
)
from ripieno.errors import EnsembleError


def overconfident(rows=600, classes=3, factor=3.0, seed=0):
    """Probabilities that are right as often as their softened selves say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (rows, classes))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (honest.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    sharp = np.exp(factor * logits)
    return sharp / sharp.sum(axis=1, keepdims=True), y


def test_the_temperature_is_the_one_of_the_lowest_log_loss():
    p, y = overconfident()
    found = calibrate(p, y)
    assert isinstance(found, Temperature)
    assert found.temperature == pytest.approx(3.0, rel=0.15)

    def loss(temperature):
        z = p ** (1 / temperature)
        return log_loss(z / z.sum(axis=1, keepdims=True), y)

    best = minimize_scalar(loss, bounds=(0.5, 9), method="bounded", options={"xatol": 1e-8})
    assert found.temperature == pytest.approx(best.x, abs=1e-4)


def test_a_temperature_keeps_the_likeliest_class():
    p, y = overconfident()
    q = calibrated(calibrate(p, y), p)
    np.testing.assert_array_equal(q.argmax(axis=1), p.argmax(axis=1))
    assert expected_calibration_error(q, y) < expected_calibration_error(p, y) / 2


def test_a_model_that_is_always_right_gets_a_temperature_that_is_finite():
    p = np.eye(2)[[0, 1, 0, 1]] * 0.8 + 0.1
    assert calibrate(p, [0, 1, 0, 1]).temperature == pytest.approx(np.exp(-4))
    assert calibrate(p, [1, 0, 1, 0]).temperature == pytest.approx(np.exp(4))


@pytest.mark.parametrize("method", CALIBRATORS)
def test_a_true_class_that_was_found_impossible_is_calibrated_all_the_same(method):
    # Its logarithm is minus infinity, which would leave no slope to follow.
    p, y = overconfident(200)
    p[:3] = np.eye(3)[(y[:3] + 1) % 3]
    q = calibrated(calibrate(p, y, method=method), p)
    assert np.isfinite(np.log(q[np.arange(200), y])).all()


@pytest.mark.parametrize("method", CALIBRATORS)
def test_calibration_lowers_the_log_loss_on_new_rows(method):
    p, y = overconfident(2000)
    found = calibrate(p[:1000], y[:1000], method=method)
    q = calibrated(found, p[1000:])
    np.testing.assert_allclose(q.sum(axis=1), 1)
    assert log_loss(q, y[1000:]) < log_loss(p[1000:], y[1000:]) - 0.1
    before = classwise_calibration_error(p[1000:], y[1000:])
    assert classwise_calibration_error(q, y[1000:]) < before


def test_a_vector_mends_a_class_that_is_named_too_often():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, (3000, 3))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (honest.cumsum(axis=1) < rng.random((3000, 1))).sum(axis=1)
    biased = honest * [5.0, 1.0, 1.0]
    found = calibrate(biased / biased.sum(axis=1, keepdims=True), y, method="vector")
    assert isinstance(found, Vector)
    shift = found.shift - found.shift.mean()
    expected = -np.log([5.0, 1.0, 1.0])
    np.testing.assert_allclose(shift, expected - expected.mean(), atol=0.2)
    np.testing.assert_allclose(found.scale, 1.0, atol=0.1)


def test_an_isotonic_curve_is_scikit_learns():
    p, y = overconfident(200, classes=2)
    p = np.round(p, 2)  # with ties
    p /= p.sum(axis=1, keepdims=True)
    found = Isotonic.fit(
        torch.from_numpy(np.log(np.maximum(p, 1e-30))), y, "classification", edge=0.0
    )
    new = np.linspace(0.01, 0.99, 50)
    new = np.stack([new, 1 - new], axis=1)
    q = calibrated(found, new)
    curves = [
        IsotonicRegression(out_of_bounds="clip").fit(p[:, k], y == k).predict(new[:, k])
        for k in range(2)
    ]
    expected = np.stack(curves, axis=1)
    np.testing.assert_allclose(q, expected / expected.sum(axis=1, keepdims=True), atol=1e-9)


def test_a_class_that_isotonic_never_saw_keeps_a_probability():
    p, y = overconfident(100)
    y = np.minimum(y, 1)
    q = calibrated(calibrate(p, y, method="isotonic"), p)
    assert q[:, 2].min() > 1e-4


@pytest.mark.parametrize("method", ["temperature", "vector", "isotonic"])
def test_labels_are_calibrated_each_by_itself(method):
    rng = np.random.default_rng(2)
    odds = rng.normal(0, 2, (800, 2))
    y = (rng.random((800, 2)) < 1 / (1 + np.exp(-odds))).astype(int)
    p = 1 / (1 + np.exp(-3 * odds))
    found = calibrate(p, y, method=method, task="multilabel")
    q = calibrated(found, p)
    honest = 1 / (1 + np.exp(-odds))
    assert np.abs(q - honest).mean() < np.abs(p - honest).mean() / 2


@pytest.mark.parametrize("method", CALIBRATORS)
def test_a_calibrator_is_rebuilt_from_its_options_and_tensors(method):
    p, y = overconfident(100)
    found = calibrate(p, y, method=method)
    again = CALIBRATORS[method](**found.options(), **found.tensors())
    np.testing.assert_array_equal(calibrated(again, p), calibrated(found, p))


def test_pooling_before_calibrating_is_what_calibrates_the_pool():
    # Members that are calibrated each: their mean is under-confident, and one temperature
    # below 1 of the pool mends it.
    rng = np.random.default_rng(3)
    signal = rng.normal(0, 1, 4000)
    y = (rng.random(4000) < 1 / (1 + np.exp(-4 * signal))).astype(int)
    members = []
    for _ in range(5):
        seen = signal + rng.normal(0, 0.8, 4000)
        p = np.stack([1 - 1 / (1 + np.exp(-seen)), 1 / (1 + np.exp(-seen))], axis=1)
        members.append(calibrated(calibrate(p[:2000], y[:2000]), p))
    pool = Predictions(np.array(members), y, tuple("abcde"), "rows").mean([0.2] * 5)
    found = calibrate(pool[:2000], y[:2000])
    assert found.temperature < 0.9
    better = calibrated(found, pool[2000:])
    assert log_loss(better, y[2000:]) < log_loss(pool[2000:], y[2000:])


def test_what_cannot_be_calibrated_is_refused():
    p, y = overconfident(10)
    with pytest.raises(EnsembleError, match="no calibration 'platt' of classification"):
        calibrate(p, y, method="platt")
    with pytest.raises(EnsembleError, match="of regression"):
        calibrate(p, p, task="regression")
