import numpy as np
import pytest

from ripieno.ensembles import Predictions, correctness_disagreement, decompose, log_loss
from ripieno.ensembles import kappa_error as pairs_of
from ripieno.errors import ReportError
from ripieno.reports import Answers, Selection
from ripieno.reports.figures import (
    ambiguity,
    calibration,
    diversity,
    gain_by_size,
    kappa_error,
    style,
)

SELECTION = Selection((7, 3, 5), (0.5, 0.3, 0.2))


@pytest.fixture
def answers():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=80)
    votes = rng.dirichlet(np.ones(3), (3, 80)) + 0.8 * np.eye(3)[y]
    votes /= votes.sum(axis=2, keepdims=True)
    pooled = np.tensordot(SELECTION.weights, votes, 1)
    return Answers(y, votes[0], pooled, votes=votes)


def predictions(answers):
    return Predictions(answers.votes, answers.targets, ("7", "3", "5"), "test")


def test_a_point_is_the_loss_of_the_members_that_count_most(answers):
    figure = gain_by_size(SELECTION, answers)
    (line,) = figure.data
    two = np.tensordot([0.5 / 0.8, 0.3 / 0.8], answers.votes[:2], 1)
    expected = [log_loss(p, answers.targets) for p in (answers.votes[0], two, answers.ensemble)]
    np.testing.assert_allclose(line.y, expected)
    assert figure.layout.shapes[0].y0 == pytest.approx(expected[0])  # the best single model
    assert style.number(expected[2]) in figure.layout.title.text


def test_the_matrix_is_that_of_being_right(answers):
    (cells,) = diversity(SELECTION, answers).data
    np.testing.assert_allclose(cells.z, correctness_disagreement(predictions(answers)))
    assert cells.x == ("trial 7", "trial 3", "trial 5")


def test_a_point_is_a_pair_of_members(answers):
    (points,) = kappa_error(SELECTION, answers).data
    found = pairs_of(predictions(answers))
    np.testing.assert_allclose(points.x, found.kappa)
    np.testing.assert_allclose(points.y, found.error)
    assert points.customdata[0] == "trial 7 and trial 3"


def test_the_bars_are_the_loss_taken_apart(answers):
    (bars,) = ambiguity(SELECTION, answers).data
    found = decompose(predictions(answers), SELECTION.weights)
    np.testing.assert_allclose(bars.x, [found.members, found.ambiguity, found.ensemble])
    np.testing.assert_allclose(bars.base, [0, found.ensemble, 0])


def test_weights_that_were_rounded_are_shares_all_the_same(answers):
    rounded = Selection((7, 3, 5), (0.333333, 0.333333, 0.333333))
    (bars,) = ambiguity(rounded, answers).data
    np.testing.assert_allclose(bars.x[0] - bars.x[1], bars.x[2])
    assert len(gain_by_size(rounded, answers).data[0].y) == 3


def test_values_are_taken_apart_too():
    rng = np.random.default_rng(1)
    y, votes = rng.normal(size=(30, 1)), rng.normal(size=(3, 30, 1))
    told = Answers(y, votes[0], votes.mean(axis=0), task="regression", votes=votes)
    assert "squared error" in ambiguity(SELECTION, told).layout.title.text
    assert len(gain_by_size(SELECTION, told).data[0].y) == 3


def test_before_and_after_a_calibration_stand_beside_each_other(answers):
    after = answers.ensemble**2 / (answers.ensemble**2).sum(axis=1, keepdims=True)
    figure = calibration(answers.ensemble, after, answers.targets)
    lines = [trace for trace in figure.data if trace.type == "scatter" and trace.name]
    assert [line.line.color for line in lines] == [style.ENSEMBLE, style.GAINED]
    assert style.number(log_loss(after, answers.targets)) in figure.layout.title.text


def test_votes_of_other_rows_are_refused(answers):
    with pytest.raises(ReportError, match="the members' answers have the shape"):
        Answers(answers.targets, answers.single, votes=answers.votes[:, :3])
