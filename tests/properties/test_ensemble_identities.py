"""What holds for the measures of any ensemble."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ripieno.ensembles import (
    Predictions,
    conformal_quantile,
    correctness_disagreement,
    correlation,
    decompose,
    disagreement,
    double_fault,
    fit_sets,
    interrater_agreement,
    kappa,
    kohavi_wolpert,
    log_loss,
    mutual_information,
    q_statistic,
    vote_entropy,
)

EXAMPLES = settings(max_examples=40)
MEMBERS, CLASSES = st.integers(2, 6), st.integers(2, 5)


@st.composite
def ensembles(draw, members=MEMBERS, classes=CLASSES):
    """Probabilities of a few members on a few rows, now and then all but certain."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, outputs, rows = draw(members), draw(classes), draw(st.integers(1, 30))
    sharpness = draw(st.sampled_from([0.05, 0.5, 5.0]))
    p = rng.dirichlet(np.full(outputs, sharpness), (count, rows))
    names = tuple(map(str, range(count)))
    predictions = Predictions(p, rng.integers(outputs, size=rows), names, "rows")
    return predictions, rng.dirichlet(np.ones(count))


def pairs(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


@EXAMPLES
@given(ensembles())
def test_an_ensembles_log_loss_is_its_members_less_their_ambiguity(drawn):
    predictions, weights = drawn
    for mean in ("arithmetic", "geometric"):
        found = decompose(predictions, weights, mean=mean)
        assert found.ensemble == pytest.approx(found.members - found.ambiguity, abs=1e-9)
        assert found.ambiguity >= -1e-9
    pooled = predictions.mean(weights)
    assert decompose(predictions, weights).ensemble == pytest.approx(
        log_loss(pooled, predictions.targets), abs=1e-9
    )


@EXAMPLES
@given(ensembles())
def test_the_ambiguity_of_the_geometric_mean_is_a_divergence_whatever_the_targets(drawn):
    predictions, weights = drawn
    logs = np.log(np.maximum(predictions.probabilities, np.finfo(np.float32).tiny))
    g = np.exp(np.tensordot(weights, logs, 1))
    g /= g.sum(axis=1, keepdims=True)
    divergence = sum(
        w * (g * (np.log(np.maximum(g, 1e-300)) - own)).sum(axis=1)
        for w, own in zip(weights, logs, strict=True)
    )
    found = decompose(predictions, weights, mean="geometric").ambiguity
    assert found == pytest.approx(divergence.mean(), abs=1e-8)


@EXAMPLES
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 3))
def test_the_squared_error_of_a_mean_is_the_members_less_their_variance(seed, members, columns):
    rng = np.random.default_rng(seed)
    values, y = rng.normal(size=(members, 20, columns)), rng.normal(size=(20, columns))
    weights = rng.dirichlet(np.ones(members))
    names = tuple(map(str, range(members)))
    found = decompose(Predictions(values, y, names, "rows", "regression"), weights)
    mean = np.tensordot(weights, values, 1)
    assert found.ensemble == pytest.approx(((mean - y) ** 2).mean())
    assert found.ambiguity == pytest.approx(weights @ ((values - mean) ** 2).mean(axis=(1, 2)))
    assert found.ensemble == pytest.approx(found.members - found.ambiguity)


@EXAMPLES
@given(ensembles())
def test_set_measures_are_means_over_pairs(drawn):
    predictions, _ = drawn
    members = predictions.members
    mean = pairs(correctness_disagreement(predictions)).mean()
    assert kohavi_wolpert(predictions) == pytest.approx((members - 1) / (2 * members) * mean)
    accuracy = 1 - np.diag(double_fault(predictions)).mean()
    spread = accuracy * (1 - accuracy)
    if spread > 0:
        expected = 1 - mean / (2 * spread)
        assert interrater_agreement(predictions) == pytest.approx(expected)
    assert 0 <= vote_entropy(predictions) <= 1


@EXAMPLES
@given(ensembles())
def test_pair_measures_are_symmetric_and_in_their_ranges(drawn):
    predictions, _ = drawn
    for measure, low in (
        (disagreement, 0), (correctness_disagreement, 0), (double_fault, 0),
        (q_statistic, -1), (correlation, -1), (kappa, -1),
    ):  # fmt: skip
        found = measure(predictions)
        np.testing.assert_allclose(found, found.T, atol=1e-12)
        assert found.min() >= low - 1e-9
        assert found.max() <= 1 + 1e-9
    # |rho| <= |Q| for every table of two members.
    assert (abs(correlation(predictions)) <= abs(q_statistic(predictions)) + 1e-9).all()


@EXAMPLES
@given(ensembles(classes=st.just(2)))
def test_the_two_disagreements_are_one_for_two_classes(drawn):
    predictions, _ = drawn
    np.testing.assert_allclose(
        disagreement(predictions), correctness_disagreement(predictions), atol=1e-12
    )


@EXAMPLES
@given(ensembles())
def test_mutual_information_is_what_the_mean_is_less_sure_of_than_the_members(drawn):
    predictions, weights = drawn
    found = mutual_information(predictions, weights)
    assert (found >= 0).all()
    assert (found <= np.log(predictions.members) + 1e-9).all()
    alike = Predictions(
        np.repeat(predictions.probabilities[:1], predictions.members, 0),
        predictions.targets, predictions.ids, "rows",
    )  # fmt: skip
    np.testing.assert_allclose(mutual_information(alike, weights), 0, atol=1e-9)


@EXAMPLES
@given(
    st.lists(st.floats(0, 1), min_size=9, max_size=60),
    st.sampled_from([0.5, 0.8, 0.9]),
)
def test_enough_of_the_rows_lie_within_the_conformal_quantile(scores, coverage):
    q = conformal_quantile(scores, coverage)
    assert np.mean(np.array(scores) <= q) >= coverage - 1e-9


@EXAMPLES
@given(ensembles(members=st.just(2)), st.sampled_from(["threshold", "adaptive", "regularized"]))
def test_conformal_sets_hold_the_rows_they_were_fitted_on(drawn, kind):
    predictions, _ = drawn
    if predictions.rows < 4:
        return
    p, y = predictions.probabilities[0], predictions.targets
    inside = fit_sets(p, y, coverage=0.75, kind=kind).predict(p)
    assert inside[np.arange(len(y)), y].mean() >= 0.75
    assert inside.any(axis=1).all()
