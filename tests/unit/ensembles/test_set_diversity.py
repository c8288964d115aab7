import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, matthews_corrcoef

from ripieno.ensembles import (
    Predictions,
    correctness_disagreement,
    correlation,
    double_fault,
    interrater_agreement,
    kappa,
    kappa_error,
    kohavi_wolpert,
    mutual_information,
    vote_entropy,
)
from ripieno.errors import EnsembleError


def one_hot(answers, targets, classes=3):
    answers = np.asarray(answers)
    names = tuple(f"m{i}" for i in range(len(answers)))
    return Predictions(np.eye(classes)[answers], np.asarray(targets), names, "rows")


# The first is right on rows 0-4, the second on rows 0-2 and 5: N11 3, N10 2, N01 1, N00 2.
TABLE = one_hot([[0, 0, 0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 1, 0, 1, 1]], [0] * 8)


def test_pair_measures_of_a_table_worked_by_hand():
    assert correctness_disagreement(TABLE)[0, 1] == pytest.approx(3 / 8)
    assert double_fault(TABLE)[0, 1] == pytest.approx(2 / 8)
    assert np.diag(double_fault(TABLE)) == pytest.approx([3 / 8, 4 / 8])
    expected = (3 * 2 - 2 * 1) / math.sqrt((3 + 2) * (1 + 2) * (3 + 1) * (2 + 2))
    assert correlation(TABLE)[0, 1] == pytest.approx(expected)


def test_kappa_and_correlation_are_scikit_learns():
    rng = np.random.default_rng(0)
    answers, y = rng.integers(3, size=(4, 60)), rng.integers(3, size=60)
    predictions = one_hot(answers, y)
    for i in range(4):
        for j in range(4):
            expected = cohen_kappa_score(answers[i], answers[j])
            assert kappa(predictions)[i, j] == pytest.approx(expected)
            expected = matthews_corrcoef(answers[i] == y, answers[j] == y)
            assert correlation(predictions)[i, j] == pytest.approx(expected)


def test_what_cannot_be_measured_is_defined():
    alike = one_hot([[0, 0], [0, 0]], [0, 0])
    assert (kappa(alike) == 1).all()
    assert (correlation(alike) == 0).all()
    assert interrater_agreement(alike) == 1.0


def test_a_kappa_error_point_is_a_pair_of_members():
    rng = np.random.default_rng(1)
    predictions = one_hot(rng.integers(3, size=(3, 40)), rng.integers(3, size=40))
    found = kappa_error(predictions)
    assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    wrong = np.diag(double_fault(predictions))
    assert found.error == pytest.approx([(wrong[i] + wrong[j]) / 2 for i, j in found.pairs])
    assert found.kappa == pytest.approx([kappa(predictions)[i, j] for i, j in found.pairs])


def test_set_measures_of_three_members_worked_by_hand():
    # Right: 3, 2, 1 and 0 of three members.
    predictions = one_hot([[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1]], [0] * 4)
    assert kohavi_wolpert(predictions) == pytest.approx((0 + 2 + 2 + 0) / (4 * 9))
    assert vote_entropy(predictions) == pytest.approx((0 + 1 + 1 + 0) / 4)
    # 1 - sum l (M - l) / (N M (M - 1) p (1 - p)) with p = 1/2
    assert interrater_agreement(predictions) == pytest.approx(1 - 4 / (4 * 3 * 2 * 0.25))


def test_two_certain_members_that_differ_carry_one_bit():
    predictions = one_hot([[0, 1], [1, 1]], [0, 1])
    assert mutual_information(predictions) == pytest.approx([math.log(2), 0.0], abs=1e-12)
    assert mutual_information(predictions, [1.0, 0.0]) == pytest.approx([0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("measure", [vote_entropy, interrater_agreement])
def test_a_member_alone_has_no_diversity(measure):
    with pytest.raises(EnsembleError, match="there is one alone"):
        measure(one_hot([[0, 1]], [0, 1]))
