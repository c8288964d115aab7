"""Metrics of classes and labels equal scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as sk

from ripieno.ensembles import expected_calibration_error
from ripieno.recipes import METRICS, measure


def classes(count, rows=300, seed=0, *, ties=False):
    rng = np.random.default_rng(seed)
    y = rng.choice(count, rows, p=rng.dirichlet(np.full(count, 3.0)))
    p = rng.dirichlet(np.ones(count), rows) + 0.3 * np.eye(count)[y]
    p /= p.sum(axis=1, keepdims=True)
    return y, np.round(p * 16) / 16 if ties else p


def labels(count=4, rows=300, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random((rows, count)) < [0.5, 0.2, 0.05, 0.9][:count]).astype(int)
    return y, np.clip(rng.random((rows, count)) * 0.7 + 0.3 * y, 0.0, 1.0).astype(np.float32)


def value(name, y, p, task="classification"):
    return measure(p, y, metrics=(name,), task=task)[name]


def of_class(function, **options):
    return lambda y, p: function(y, p.argmax(axis=1), **options)


OF_CLASSES = {
    "accuracy": of_class(sk.accuracy_score),
    "balanced_accuracy": of_class(sk.balanced_accuracy_score),
    "f1_macro": of_class(sk.f1_score, average="macro"),
    "f1_micro": of_class(sk.f1_score, average="micro"),
    "log_loss": sk.log_loss,
    "brier": sk.brier_score_loss,
    "auroc": lambda y, p: sk.roc_auc_score(y, p[:, 1] if p.shape[1] == 2 else p, multi_class="ovr"),
    "average_precision": lambda y, p: sk.average_precision_score(
        y, p[:, 1] if p.shape[1] == 2 else p
    ),
    "ece": lambda y, p: expected_calibration_error(p, y),
}
OF_LABELS = {
    "log_loss": lambda y, p: np.mean(
        [sk.log_loss(a, b, labels=[0, 1]) for a, b in zip(y.T, p.T, strict=True)]
    ),
    "subset_accuracy": lambda y, p: sk.accuracy_score(y, p > 0.5),
    "f1_macro": lambda y, p: sk.f1_score(y, p > 0.5, average="macro"),
    "f1_micro": lambda y, p: sk.f1_score(y, p > 0.5, average="micro"),
    "auroc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "brier": lambda y, p: np.mean(
        [sk.brier_score_loss(a, b.astype(float)) for a, b in zip(y.T, p.T, strict=True)]
    ),
}


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("name", METRICS["classification"])
def test_a_metric_of_classes_equals_scikit_learns(name, count):
    y, p = classes(count)
    assert value(name, y, p) == pytest.approx(OF_CLASSES[name](y, p), rel=1e-10)


@pytest.mark.parametrize("name", METRICS["multilabel"])
def test_a_metric_of_labels_equals_scikit_learns(name):
    y, p = labels()
    assert value(name, y, p, "multilabel") == pytest.approx(OF_LABELS[name](y, p), rel=1e-6)


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_equal_probabilities_are_ranked_together(name):
    y, p = classes(2, ties=True)
    assert len(np.unique(p[:, 1])) < 20
    assert value(name, y, p) == pytest.approx(OF_CLASSES[name](y, p), rel=1e-12)


def test_a_class_that_is_never_answered_counts_nothing_in_f1():
    y, p = np.array([0, 0, 1, 2]), np.eye(4)[[0, 1, 1, 1]]
    expected = sk.f1_score(y, p.argmax(1), average="macro", zero_division=0.0)
    assert value("f1_macro", y, p) == pytest.approx(expected)
    assert value("balanced_accuracy", y, p) == pytest.approx((0.5 + 1.0 + 0.0) / 3)


def test_a_class_without_rows_is_left_out_of_a_mean_of_ranks():
    y, p = classes(3)
    kept = y != 2
    expected = np.mean([sk.roc_auc_score(y[kept] == k, p[kept, k]) for k in (0, 1)])
    assert value("auroc", y[kept], p[kept]) == pytest.approx(expected, rel=1e-12)
    both = [sk.average_precision_score(y[kept] == k, p[kept, k]) for k in (0, 1)]
    assert value("average_precision", y[kept], p[kept]) == pytest.approx(np.mean(both), rel=1e-12)


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_ranks_that_no_rows_define_are_nan_and_warn_of_nothing(name):
    y, p = np.zeros(9, dtype=int), np.full((9, 2), 0.5)
    assert np.isnan(value(name, y, p))
    none = np.zeros((9, 2), dtype=int)
    assert np.isnan(value(name, none, p, "multilabel"))


def test_a_label_that_is_nowhere_counts_zero_in_f1_as_scikit_learn_has_it():
    y, p = np.array([[1, 0], [1, 0]]), np.array([[0.9, 0.1], [0.8, 0.2]])
    expected = sk.f1_score(y, p > 0.5, average="macro", zero_division=0.0)
    assert value("f1_macro", y, p, "multilabel") == expected == 0.5


def test_certain_answers_that_are_wrong_cost_a_label_16_nats_at_most():
    y, p = np.array([[1], [0]]), np.array([[0.0], [1.0]], dtype=np.float32)
    expected = -np.log(np.finfo(np.float32).eps)
    assert value("log_loss", y, p, "multilabel") == pytest.approx(expected, rel=1e-6)
