import numpy as np
import pytest
from scipy.optimize import minimize

from ripieno.ensembles import GaussianMixture, fit_combiner, mixture_moments, simplex_weights
from ripieno.errors import EnsembleError


def log_losses(library):
    return np.clip(library.probabilities[:, np.arange(library.rows), library.targets], 1e-38, None)


def test_no_weights_have_a_lower_log_loss(library):
    seen = library(members=4)
    truth = log_losses(seen)

    def loss(weights):
        return -np.log(weights @ truth).mean()

    found = minimize(
        loss, np.full(4, 0.25), bounds=[(0, 1)] * 4, method="SLSQP",
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"ftol": 1e-12},
    )  # fmt: skip
    weights = simplex_weights(seen)
    assert weights.sum() == pytest.approx(1)
    assert loss(weights) <= found.fun + 1e-4


def test_no_weights_have_a_lower_squared_error(library):
    seen = library("regression", members=4)
    scale = seen.targets.std(axis=0)
    errors = ((seen.probabilities - seen.targets) / scale).reshape(4, -1)

    def loss(weights):
        return ((weights @ errors) ** 2).mean()

    found = minimize(
        loss, np.full(4, 0.25), bounds=[(0, 1)] * 4, method="SLSQP",
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"ftol": 1e-14},
    )  # fmt: skip
    np.testing.assert_allclose(simplex_weights(seen), found.x, atol=1e-3)


def test_a_faultless_member_has_all_the_weight(library):
    seen = library("regression", members=2)
    values = np.stack([seen.targets, seen.probabilities[1]])
    perfect = type(seen)(values, seen.targets, ("a", "b"), "rows", "regression")
    np.testing.assert_allclose(simplex_weights(perfect), [1.0, 0.0])


def test_the_moments_of_a_mixture_hold_what_members_are_unsure_of_and_disagree_about():
    mean, variance = mixture_moments([[1.0], [5.0]], [[4.0], [2.0]], [0.5, 0.5])
    assert (mean[0], variance[0]) == (3.0, 3.0 + 4.0)
    # Var = mean of (var + mu^2) less the mean squared.
    assert variance[0] == 0.5 * (4 + 1) + 0.5 * (2 + 25) - 9


def test_moments_of_large_values_keep_their_digits():
    _, variance = mixture_moments([[1e9], [1e9 + 2]], [[0.5]])
    assert variance[0] == pytest.approx(1.5)


def test_moments_of_what_does_not_fit_are_refused():
    with pytest.raises(EnsembleError, match="do not fit"):
        mixture_moments([[1.0]], [[-1.0]])
    with pytest.raises(EnsembleError, match="do not fit"):
        mixture_moments([[1.0], [2.0]], np.ones((3, 1)))


def test_a_mixture_is_about_as_sure_as_it_should_be_on_new_rows(library):
    seen, new = library("regression", rows=600, seed=0), library("regression", rows=600, seed=1)
    found = fit_combiner(GaussianMixture(), seen)
    own = new.subset([new.ids.index(name) for name in found.ids])
    mean, variance = found.rule.moments(own.probabilities)
    np.testing.assert_allclose(mean, found.answer(new))
    z = (mean - new.targets) / np.sqrt(variance)
    assert (np.abs(z) < 1.96).mean() > 0.9
    with pytest.raises(EnsembleError, match="no answer of classification"):
        fit_combiner(GaussianMixture(), library())
