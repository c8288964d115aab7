"""A scorer of scikit-learn measures what a search predicts."""

import math
import pickle

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer, make_scorer, mean_absolute_error

from ripieno.interop.sklearn.scoring import metric_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
CODES = (X[:, 0] + RNG.normal(size=60) > 0).astype(int) + (X[:, 1] > 1)


@pytest.mark.parametrize(
    "scoring", ["f1_macro", "neg_log_loss", "roc_auc_ovr", "balanced_accuracy"]
)
def test_a_classification_is_scored_as_the_estimator_would_be(scoring):
    classes = np.array(["a", "b", "c"])
    y = classes[CODES]
    model = LogisticRegression().fit(X, y)
    metric = metric_of(get_scorer(scoring), scoring, task="classification", classes=classes)
    # As a search stores them.
    probabilities = model.predict_proba(X).astype(np.float32).astype(np.float64)
    expected = get_scorer(scoring)(model, X, y)
    assert metric.function(CODES, probabilities) == pytest.approx(expected, rel=1e-5)
    # Ripieno has metrics of two of the names.
    assert metric.name in {scoring, f"{scoring}_score"}
    assert metric.direction == "maximize"


def test_a_scorer_goes_to_worker_processes():
    classes = np.array(["a", "b", "c"])
    metric = metric_of(get_scorer("f1_macro"), "f1_macro", task="classification", classes=classes)
    sent = pickle.loads(pickle.dumps(metric))  # noqa: S301 - our own
    probabilities = np.eye(3)[CODES]
    assert sent.function(CODES, probabilities) == metric.function(CODES, probabilities) == 1.0


def test_two_classes_are_scored_by_the_second_one():
    y = CODES > 0
    model = LogisticRegression().fit(X, y)
    metric = metric_of(get_scorer("f1"), "f1", task="classification", classes=model.classes_)
    assert metric.function(y.astype(int), model.predict_proba(X)) == get_scorer("f1")(model, X, y)


def test_a_regression_is_scored_as_the_estimator_would_be():
    y = X[:, 0] * 3.0
    model = Ridge().fit(X, y)
    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    metric = metric_of(scorer, scorer, task="regression", classes=None)
    assert metric.function(y, model.predict(X)) == scorer(model, X, y)
    assert metric.name == "score"


def test_labels_are_scored_as_answers():
    y = np.stack([CODES > 0, CODES > 1], axis=1).astype(int)
    metric = metric_of(get_scorer("f1_micro"), "f1_micro", task="multilabel", classes=None)
    assert metric.function(y, np.where(y == 1, 0.8, 0.1)) == 1.0


def test_predictions_that_are_not_finite_have_no_score():
    name = "neg_median_absolute_error"
    metric = metric_of(get_scorer(name), name, task="regression", classes=None)
    assert math.isnan(metric.function(np.zeros(2), np.array([1.0, np.nan])))


def test_without_a_scorer_it_is_what_score_measures():
    assert metric_of(None, None, task="classification", classes=None) == "accuracy"
    assert metric_of(None, None, task="regression", classes=None) == "r2"
