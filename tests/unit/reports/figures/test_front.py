import pytest

from ripieno.errors import ReportError
from ripieno.records import Config, Goal, Limit, Objective, Trial, TrialStatus
from ripieno.reports import figures

GOAL = Goal((Objective("loss"), Objective("parameters")), (Limit("parameters", "<=", 90.0),))


def trials(*points):
    return tuple(
        Trial(n, Config({"lr": 0.1 * (n + 1)}), TrialStatus.PAUSED, ({"loss": a, "parameters": b},))
        for n, (a, b) in enumerate(points)
    )


def trace(figure, word):
    return next(trace for trace in figure.data if word in trace.name)


def test_the_front_is_a_line_and_the_others_are_told_apart():
    failed = Trial(5, Config({"lr": 0.5}), TrialStatus.FAILED)
    shown = (*trials((0.1, 50.0), (0.4, 10.0), (0.5, 60.0), (0.05, 95.0)), failed)
    figure = figures.front(shown, GOAL)
    assert figure.layout.title.text == "2 trials are not beaten in loss and parameters"
    assert "1 trial without a value" in figure.layout.title.subtitle.text
    assert "parameters&lt;=90" in figure.layout.title.subtitle.text
    line = trace(figure, "the front")
    assert (list(line.x), list(line.y)) == ([10.0, 50.0], [0.4, 0.1])
    assert (line.mode, line.line.shape) == ("lines+markers", "hv")
    assert line.customdata[0] == [1, "lr 0.2"]
    assert list(trace(figure, "beaten").x) == [60.0]
    assert list(trace(figure, "breaks").x) == [95.0]


def test_of_three_metrics_the_front_has_no_line():
    goal = Goal((*GOAL.objectives, Objective("ms")))
    row = {"loss": 0.1, "parameters": 5.0, "ms": 1.0}
    figure = figures.front(
        [Trial(0, Config({"lr": 0.1}), TrialStatus.PAUSED, (row,))], goal, across=2
    )
    assert trace(figure, "the front").mode == "markers"
    assert list(trace(figure, "the front").x) == [1.0]


def test_where_all_break_a_limit_the_title_says_so():
    figure = figures.front(trials((0.1, 91.0), (0.2, 95.0)), GOAL)
    assert "No trial keeps the limits" in figure.layout.title.text


def test_without_values_there_is_no_figure():
    with pytest.raises(ReportError, match="no trial has a value"):
        figures.front((), GOAL)
