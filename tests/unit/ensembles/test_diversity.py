import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ripieno.ensembles import Predictions, ambiguity, disagreement, log_loss, q_statistic


def one_hot(answers, targets, classes=3):
    answers = np.asarray(answers)
    names = tuple(f"m{i}" for i in range(len(answers)))
    return Predictions(np.eye(classes)[answers], np.asarray(targets), names, "rows")


def test_disagreement_counts_rows_with_different_answers_right_or_wrong():
    predictions = one_hot([[0, 1, 2, 0], [0, 2, 2, 1], [0, 1, 2, 0]], [0, 0, 2, 2])
    np.testing.assert_allclose(
        disagreement(predictions), [[0, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0]], atol=1e-15
    )


def test_q_of_a_table_worked_by_hand():
    # First right on rows 0-4, second right on rows 0-2 and 5: N11 3, N10 2, N01 1, N00 2.
    first = [0, 0, 0, 0, 0, 1, 1, 1]
    second = [0, 0, 0, 1, 1, 0, 1, 1]
    q = q_statistic(one_hot([first, second], [0] * 8))
    expected = (3 * 2 - 2 * 1) / (3 * 2 + 2 * 1)
    np.testing.assert_allclose(q, [[1.0, expected], [expected, 1.0]])


def test_members_that_are_wrong_on_different_rows_have_a_q_of_minus_one():
    q = q_statistic(one_hot([[0, 1], [1, 0]], [0, 0]))
    assert q[0, 1] == -1.0


def test_q_is_zero_where_there_is_no_evidence():
    q = q_statistic(one_hot([[0, 0], [0, 0]], [0, 0]))
    np.testing.assert_array_equal(q, np.zeros((2, 2)))


def test_ambiguity_is_the_mean_loss_of_the_members_less_that_of_the_ensemble():
    rng = np.random.default_rng(0)
    predictions = Predictions(
        rng.dirichlet(np.ones(3), (4, 50)), rng.integers(3, size=50), tuple("abcd"), "rows"
    )
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    alone = [log_loss(p, predictions.targets) for p in predictions.probabilities]
    together = log_loss(predictions.mean(weights), predictions.targets)
    assert ambiguity(predictions, weights) == pytest.approx(weights @ alone - together)


@given(seed=st.integers(0, 2**32 - 1), members=st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_ambiguity_is_never_negative(seed, members):
    rng = np.random.default_rng(seed)
    predictions = Predictions(
        rng.dirichlet(np.full(3, 0.2), (members, 20)),
        rng.integers(3, size=20),
        tuple(map(str, range(members))),
        "rows",
    )
    assert ambiguity(predictions, rng.dirichlet(np.ones(members))) >= -1e-12
