import math

import pytest

from ripieno.errors import SearchError
from ripieno.records import Config, Goal, Limit, Merit, Objective, Trial, TrialStatus

LOSS, ACCURACY = Objective("loss"), Objective("accuracy", "maximize")


def trial(status=TrialStatus.PAUSED, **row):
    return Trial(0, Config({"x": 1}), status, history=(row,) if row else ())


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("latency_ms<=5", Limit("latency_ms", "<=", 5.0)),
        (" accuracy >= 0.9 ", Limit("accuracy", ">=", 0.9)),
        ("loss<=-1e-3", Limit("loss", "<=", -1e-3)),
    ],
)
def test_a_limit_is_read_as_it_is_written(text, limit):
    assert Limit.parse(text) == limit
    assert Limit.parse(str(limit)) == limit


@pytest.mark.parametrize("text", ["loss<5", "loss", "<=5", "loss<=five", "loss<=nan", "loss<=inf"])
def test_what_is_no_limit_is_refused_with_an_example(text):
    with pytest.raises(SearchError, match="is no limit") as caught:
        Limit.parse(text)
    assert "latency_ms<=5" in caught.value.fix


def test_a_violation_is_counted_in_bounds():
    assert Limit("ms", "<=", 5.0).violation({"ms": 5.0}) == 0.0
    assert Limit("ms", "<=", 5.0).violation({"ms": 7.5}) == 0.5
    assert Limit("accuracy", ">=", 0.8).violation({"accuracy": 0.6}) == pytest.approx(0.25)
    assert Limit("gap", "<=", 0.0).violation({"gap": 3.0}) == 3.0
    assert Limit("ms", "<=", 5.0).violation({"ms": math.nan}) == math.inf
    assert Limit("ms", "<=", 5.0).excess({"ms": 2.5}) == -0.5
    assert Limit("accuracy", ">=", 0.8).excess({"accuracy": 0.6}) == pytest.approx(0.25)
    with pytest.raises(SearchError, match="'ms' was not reported"):
        Limit("ms", "<=", 5.0).violation({"loss": 1.0})


def test_a_merit_holds_what_is_less_for_better_and_the_sum_of_violations():
    limits = (Limit("loss", "<=", 1.0), Limit("accuracy", ">=", 0.8))
    goal = Goal((LOSS, ACCURACY), limits)
    assert goal.merit(trial(loss=2.0, accuracy=0.6)) == Merit((2.0, -0.6), pytest.approx(1.25))
    assert goal.metrics == ("loss", "accuracy")
    assert not goal.is_plain
    assert Goal.of(LOSS).is_plain
    assert Goal.of(goal) is goal


def test_a_trial_without_all_values_or_with_a_bad_end_has_no_merit():
    goal = Goal((LOSS, ACCURACY))
    assert goal.merit(trial()) is None
    assert goal.merit(trial(loss=math.nan, accuracy=0.5)) is None
    assert goal.merit(trial(TrialStatus.DIVERGED, loss=1.0, accuracy=0.5)) is None
    assert goal.merits([trial(loss=1.0)]) == {}
    with pytest.raises(SearchError, match="'accuracy' was not reported"):
        goal.merit(trial(loss=1.0))


def test_a_goal_names_each_metric_once():
    with pytest.raises(SearchError, match="stands twice"):
        Goal((LOSS, Objective("loss", "maximize")))
    with pytest.raises(SearchError, match="no metric"):
        Goal(())
