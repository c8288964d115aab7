import math

import numpy as np
import pytest

from ripieno.ensembles import Predictions, decompose, deep_ensemble_equivalent
from ripieno.errors import EnsembleError


def test_a_log_loss_taken_apart_by_hand():
    p = np.array([[[0.5, 0.5]], [[0.9, 0.1]]])
    predictions = Predictions(p, [0], ("a", "b"), "rows")
    found = decompose(predictions, [0.5, 0.5])
    members = -(math.log(0.5) + math.log(0.9)) / 2
    assert found.members == pytest.approx(members)
    assert found.ensemble == pytest.approx(-math.log(0.7))
    assert found.ambiguity == pytest.approx(members + math.log(0.7))
    # The geometric mean is sqrt(.45) against sqrt(.05): three to one.
    found = decompose(predictions, [0.5, 0.5], mean="geometric")
    assert found.ensemble == pytest.approx(-math.log(0.75))


def test_a_squared_error_taken_apart_by_hand():
    values = np.array([[[1.0]], [[4.0]]])
    found = decompose(Predictions(values, [2.0], ("a", "b"), "rows", "regression"), [0.5, 0.5])
    assert (found.ensemble, found.members, found.ambiguity) == (0.25, 2.5, 2.25)


def test_labels_and_unknown_means_are_refused():
    labels = Predictions(np.full((1, 2, 1), 0.5), np.array([[0], [1]]), ("a",), "r", "multilabel")
    with pytest.raises(EnsembleError, match="compares answers that are classes"):
        decompose(labels, [1.0])
    classes = Predictions(np.full((1, 2, 2), 0.5), [0, 1], ("a",), "rows")
    with pytest.raises(EnsembleError, match="mean = 'median' is not known"):
        decompose(classes, [1.0], mean="median")


def test_an_ensemble_is_worth_the_size_at_which_a_deep_ensemble_is_as_good():
    curve = [0.5, 0.4, 0.36, 0.35]
    assert deep_ensemble_equivalent(curve, 0.4) == 2.0
    assert deep_ensemble_equivalent(curve, 0.38) == pytest.approx(2.5)
    assert deep_ensemble_equivalent(curve, 0.6) == 1.0
    assert deep_ensemble_equivalent(curve, 0.34) == math.inf


def test_a_noisy_curve_counts_from_where_it_is_first_as_good():
    assert deep_ensemble_equivalent([0.5, 0.3, 0.4], 0.35) == pytest.approx(1.75)


def test_losses_that_are_not_finite_are_refused():
    with pytest.raises(EnsembleError, match="cannot be compared"):
        deep_ensemble_equivalent([], 0.3)
    with pytest.raises(EnsembleError, match="cannot be compared"):
        deep_ensemble_equivalent([0.3], math.nan)
