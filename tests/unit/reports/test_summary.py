import math

import numpy as np
import pytest

from ripieno.errors import ReportError
from ripieno.records import Objective, TrialStatus
from ripieno.reports import Answers, Scores, Selection, Summary
from ripieno.reports.summary import last_value, lost, ranked
from ripieno.space import Float, Space


def test_trials_are_ranked_by_their_last_value_and_the_earlier_one_wins_a_tie(trial):
    trials = (trial(0, 3.0), trial(1, 1.0, 2.0), trial(2, 2.0), trial(3, 9.0, 0.5))
    assert [t.id for t in ranked(trials, Objective("log_loss"))] == [3, 1, 2, 0]
    assert [t.id for t in ranked(trials, Objective("log_loss", "maximize"))] == [0, 1, 2, 3]


def test_trials_without_a_finite_value_are_not_ranked(trial):
    trials = (
        trial(0),
        trial(1, 1.0, status=TrialStatus.DIVERGED),
        trial(2, 1.0, status=TrialStatus.FAILED),
        trial(3, math.inf),
        trial(4, math.nan),
        trial(5, 1.0, metric="accuracy"),
        trial(6, 1.0),
    )
    assert [t.id for t in ranked(trials, Objective("log_loss"))] == [6]
    assert [t.id for t in lost(trials)] == [1, 2]
    assert math.isnan(last_value(trials[5], Objective("log_loss")))


def test_a_summary_counts_epochs_and_names_the_best_trial(trial):
    trials = (trial(0, 3.0, 2.0, 1.5), trial(1, 1.0), trial(2))
    summary = Summary("t", Objective("log_loss"), trials, Space(lr=Float(0, 1)))
    assert summary.epochs == 4
    assert summary.best.id == 1
    assert summary.has_epochs
    assert summary.ensemble_scores == Scores()
    assert Summary("t", Objective("log_loss"), trials[2:], Space()).best is None


def test_the_best_trials_validation_numbers_are_those_of_its_last_epoch(trial):
    trials = (trial(0, 3.0, 2.0),)
    space = Space(lr=Float(0, 1))
    given = Scores(test={"log_loss": 2.5})
    summary = Summary("t", Objective("log_loss"), trials, space, single=given)
    assert summary.single_scores == Scores({"log_loss": 2.0}, {"log_loss": 2.5})
    measured = Scores({"log_loss": 1.9}, {"log_loss": 2.5})
    summary = Summary("t", Objective("log_loss"), trials, space, single=measured)
    assert summary.single_scores == measured


@pytest.mark.parametrize(
    ("trials", "weights", "members"),
    [((1, 2), (1.0,), ()), ((1,), (1.0,), (Scores(), Scores())), ((), (), ())],
)
def test_a_selection_with_unlike_lengths_is_refused(trials, weights, members):
    with pytest.raises(ReportError, match="trials"):
        Selection(trials, weights, Scores(), members)


def test_answers_that_do_not_match_are_refused():
    y, p = np.array([0, 1]), np.full((2, 2), 0.5)
    with pytest.raises(ReportError, match="targets of shape"):
        Answers(y[:1], p)
    with pytest.raises(ReportError, match="the ensemble's answers"):
        Answers(y, p, p[:1])
    with pytest.raises(ReportError, match="3 names for 2 classes"):
        Answers(y, p, p, ("a", "b", "c"))
    assert Answers(y, p).names == ("0", "1")
