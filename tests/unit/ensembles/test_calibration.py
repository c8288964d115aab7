import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from ripieno.ensembles import expected_calibration_error, reliability_curve
from ripieno.errors import EnsembleError

# Confidences 0.95, 0.95, 0.65, 0.55; the second and the last are wrong.
P = np.array([[0.95, 0.05], [0.95, 0.05], [0.35, 0.65], [0.45, 0.55]])
Y = np.array([0, 1, 1, 0])


def test_the_curve_of_four_rows_is_that_worked_by_hand():
    curve = reliability_curve(P, Y, bins=10)
    np.testing.assert_allclose(curve.confidence, [0.55, 0.65, 0.95])
    np.testing.assert_allclose(curve.accuracy, [0.0, 1.0, 0.5])
    np.testing.assert_array_equal(curve.counts, [1, 1, 2])


def test_the_error_of_four_rows_is_that_worked_by_hand():
    expected = (0.55 + 0.35 + 2 * 0.45) / 4
    assert expected_calibration_error(P, Y, bins=10) == pytest.approx(expected)


def test_one_bin_compares_the_mean_confidence_with_the_accuracy():
    assert expected_calibration_error(P, Y, bins=1) == pytest.approx(0.775 - 0.5)


def test_adaptive_bins_hold_equally_many_rows():
    curve = reliability_curve(P, Y, bins=2, adaptive=True)
    np.testing.assert_array_equal(curve.counts, [2, 2])
    np.testing.assert_allclose(curve.confidence, [0.6, 0.95])
    np.testing.assert_allclose(curve.accuracy, [0.5, 0.5])
    assert expected_calibration_error(P, Y, bins=2, adaptive=True) == pytest.approx(0.275)


def test_adaptive_bins_differ_by_one_row_at_most_even_for_equal_confidences():
    p = np.full((17, 2), 0.5)
    curve = reliability_curve(p, np.zeros(17, dtype=int), bins=5, adaptive=True)
    assert curve.counts.sum() == 17
    assert set(curve.counts) <= {3, 4}


def test_more_bins_than_rows_leave_one_row_a_bin():
    assert len(reliability_curve(P, Y, bins=40, adaptive=True).counts) == 4


def test_equal_width_bins_are_those_of_sklearn():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 400)
    y = rng.integers(3, size=400)
    right = (p.argmax(axis=1) == y).astype(int)
    accuracy, confidence = calibration_curve(right, p.max(axis=1), n_bins=15)
    curve = reliability_curve(p, y)
    np.testing.assert_allclose(curve.accuracy, accuracy)
    np.testing.assert_allclose(curve.confidence, confidence)


def test_a_bin_holds_its_upper_edge():
    p = np.array([[0.75, 0.25], [0.6, 0.4]])
    np.testing.assert_array_equal(reliability_curve(p, np.array([0, 0]), bins=4).counts, [2])


def test_full_confidence_falls_into_the_last_bin():
    p, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0])
    assert expected_calibration_error(p, y) == 0.5


def test_a_calibrated_model_has_a_small_error():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 50_000)
    y = (rng.random((50_000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    assert expected_calibration_error(p, y) < 0.01
    assert expected_calibration_error(p, y, adaptive=True) < 0.01


def test_no_bin_is_refused():
    with pytest.raises(EnsembleError, match="bins = 0"):
        expected_calibration_error(P, Y, bins=0)
