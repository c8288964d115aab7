import math

import numpy as np
import pytest
from sklearn import metrics as reference

from ripieno.ensembles import accuracy, brier, confusion_matrix, log_loss
from ripieno.errors import EnsembleError
from ripieno.recipes import measure

# Three rows worked by hand.
P = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.25, 0.25]])
Y = np.array([0, 1, 2])


def drawn(rows=500, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(classes), rows), rng.integers(classes, size=rows)


def test_log_loss_is_the_mean_negative_logarithm_of_the_true_class():
    expected = -(math.log(0.7) + math.log(0.6) + math.log(0.25)) / 3
    assert log_loss(P, Y) == pytest.approx(expected, rel=1e-15)


def test_log_loss_equals_sklearn():
    p, y = drawn()
    assert log_loss(p, y) == pytest.approx(reference.log_loss(y, p), rel=1e-12)


def test_a_probability_of_zero_costs_87_nats_and_not_infinity():
    p = np.array([[1.0, 0.0], [1.0, 0.0]])
    for kind in (np.float32, np.float64):
        loss = log_loss(p.astype(kind), np.array([1, 0]))
        assert loss == pytest.approx(-math.log(2.0**-126) / 2, rel=1e-12)


def test_trials_and_ensembles_are_measured_alike():
    p, y = drawn()
    p[:9] = [0.0, 1.0, 0.0, 0.0]
    p = p.astype(np.float32)
    measured = measure(p, y)
    assert log_loss(p, y) == pytest.approx(measured["log_loss"], rel=1e-12)
    assert accuracy(p, y) == measured["accuracy"]


def test_accuracy_counts_the_likeliest_class_and_ties_go_to_the_lower_one():
    assert accuracy(P, Y) == pytest.approx(2 / 3)
    assert accuracy(np.array([[0.5, 0.5]]), np.array([0])) == 1.0
    assert accuracy(np.array([[0.5, 0.5]]), np.array([1])) == 0.0


def test_brier_is_summed_over_the_classes():
    first = 0.3**2 + 0.2**2 + 0.1**2
    second = 0.1**2 + 0.4**2 + 0.3**2
    third = 0.5**2 + 0.25**2 + 0.75**2
    assert brier(P, Y) == pytest.approx((first + second + third) / 3, rel=1e-14)


@pytest.mark.parametrize("classes", [2, 3])
def test_brier_equals_sklearn_which_halves_it_for_two_classes(classes):
    p, y = drawn(classes=classes)
    assert brier(p, y) == pytest.approx(reference.brier_score_loss(y, p), rel=1e-12)
    assert brier(np.eye(classes)[[0]], np.array([1])) == (1.0 if classes == 2 else 2.0)


def test_brier_leaves_its_argument_unchanged():
    p = P.copy()
    brier(p, Y)
    np.testing.assert_array_equal(p, P)


def test_the_confusion_matrix_equals_sklearn_and_keeps_classes_without_rows():
    p, y = drawn(classes=4)
    y = np.where(y == 3, 0, y)
    expected = reference.confusion_matrix(y, p.argmax(axis=1), labels=range(4))
    np.testing.assert_array_equal(confusion_matrix(p, y), expected)


@pytest.mark.parametrize("metric", [log_loss, accuracy, brier, confusion_matrix])
@pytest.mark.parametrize(
    ("p", "y", "match"),
    [
        (np.zeros((0, 2)), np.zeros(0, dtype=int), "at least one row"),
        (np.full((2, 2), 0.5), np.array([0]), "shape"),
        (np.full((1, 2, 2), 0.5), np.array([0]), "shape"),
        (np.full((1, 2), 0.5), np.array([2]), "not classes"),
        (np.full((1, 2), 0.5), np.array([-1]), "not classes"),
        (np.full((1, 2), 0.5), np.array([0.0]), "not classes"),
    ],
)
def test_what_cannot_be_measured_is_refused(metric, p, y, match):
    with pytest.raises(EnsembleError, match=match):
        metric(p, y)
