import math

import pytest

from ripieno.errors import ReportError
from ripieno.records import Objective, TrialStatus
from ripieno.reports.figures import best_so_far, learning_curves


def trace(figure, name):
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def test_the_line_is_the_best_value_until_each_time(trial, minimize):
    trials = [
        trial(0, 3.0, finished_at=4.0),
        trial(1, 1.0, finished_at=9.0),
        trial(2, 2.0, finished_at=5.0),
        trial(3, 2.5, finished_at=7.0),
    ]
    line = trace(best_so_far(trials, minimize, seconds=20.0), "best so far")
    assert line.x == (4.0, 5.0, 7.0, 9.0, 20.0)
    assert line.y == (3.0, 2.0, 2.0, 1.0, 1.0)
    assert line.line.shape == "hv"


def test_the_line_rises_where_the_metric_is_maximised(trial):
    objective = Objective("log_loss", "maximize")
    line = trace(
        best_so_far([trial(i, v) for i, v in enumerate((1, 3, 2))], objective), "best so far"
    )
    assert line.y == (1, 3, 3)


def test_points_are_the_trials_by_the_epochs_they_reached(trial, minimize):
    figure = best_so_far([trial(1, 2.0), trial(2, 5.0, 1.0, 0.5), trial(3, 3.0)], minimize)
    assert trace(figure, "1 epoch (2 trials)").y == (2.0, 3.0)
    assert trace(figure, "3 epochs (1 trial)").x == (2.0,)
    assert trace(figure, "3 epochs (1 trial)").customdata == (2,)


@pytest.mark.parametrize(
    ("seconds", "unit", "x"),
    [(100.0, "s", 90.0), (600.0, "min", 1.5), (36000.0, "h", 0.025)],
)
def test_time_has_a_unit_that_is_read_easily(trial, minimize, seconds, unit, x):
    figure = best_so_far([trial(0, 1.0, finished_at=90.0)], minimize, seconds=seconds)
    assert figure.layout.xaxis.title.text == f"study time ({unit})"
    assert figure.data[0].x == (x,)


def test_trials_without_times_are_drawn_by_their_numbers(trial, minimize):
    figure = best_so_far([trial(i, 3.0 - i, finished_at=math.nan) for i in range(3)], minimize)
    assert figure.layout.xaxis.title.text == "trial"
    assert trace(figure, "best so far").x == (0, 1, 2)
    assert "in trial 2" in figure.layout.title.text


def test_the_title_says_the_best_value_and_when_it_came(trial, minimize):
    figure = best_so_far([trial(3, 0.25), trial(8, 0.5)], minimize)
    assert figure.layout.title.text == "Best log loss 0.25, reached after 3 s"


def test_a_value_far_off_is_left_out_of_the_frame_and_counted(trial, minimize):
    trials = [trial(i, 0.9 + 0.01 * i) for i in range(12)] + [trial(12, 1e9)]
    figure = best_so_far(trials, minimize)
    assert "1 trial far worse than the rest not shown." in figure.layout.title.subtitle.text
    assert 10 ** figure.layout.yaxis.range[1] < 2


def test_trials_without_a_value_are_counted(trial, minimize):
    trials = [trial(0, 1.0), trial(1, 1.0, status=TrialStatus.DIVERGED), trial(2)]
    assert "2 trials without a value." in best_so_far(trials, minimize).layout.title.subtitle.text


def test_there_is_nothing_to_draw_without_a_value(trial, minimize):
    with pytest.raises(ReportError, match="no trial has a value yet"):
        best_so_far([], minimize)
    with pytest.raises(ReportError, match="all 2 trials diverged or failed"):
        best_so_far([trial(i, status=TrialStatus.DIVERGED) for i in range(2)], minimize)


def test_curves_are_one_trace_a_group_with_gaps_between_trials(trial, minimize):
    figure = learning_curves([trial(0, 4.0, 3.0), trial(1, 5.0, 2.0), trial(2, 9.0)], minimize)
    curves = trace(figure, "2 epochs (2 trials)")
    # The better trial comes first: trial 1.
    assert curves.x == (1, 2, None, 1, 2, None)
    assert curves.y == (5.0, 2.0, None, 4.0, 3.0, None)
    assert curves.mode == "lines"
    assert trace(figure, "1 epoch (1 trial)").mode == "markers"


def test_the_best_trial_is_drawn_over_the_others(trial, minimize):
    figure = learning_curves([trial(0, 4.0, 3.0), trial(1, 5.0, 2.0)], minimize)
    best = figure.data[-1]
    assert best.name == "trial 1, the best"
    assert best.y == (5.0, 2.0)
    assert best.line.width == 3
    assert figure.layout.title.text == "Trial 1 reaches a log loss of 2 in 2 epochs"


def test_a_fork_begins_where_its_parent_was(trial, minimize):
    figure = learning_curves([trial(0, 4.0, 3.0, first_epoch=5)], minimize)
    assert figure.data[-1].x == (6, 7)


def test_losses_over_decades_have_a_log_axis_and_accuracies_a_linear_one(trial):
    trials = [trial(0, 1.0, 0.1, 0.01)]
    assert learning_curves(trials, Objective("log_loss")).layout.yaxis.type == "log"
    figure = learning_curves(trials, Objective("log_loss", "maximize"))
    assert figure.layout.yaxis.type is None


def test_diverged_trials_have_a_group_of_their_own_without_their_nans(trial, minimize):
    trials = [trial(0, 1.0, 0.9), trial(1, 2.0, math.nan, status=TrialStatus.DIVERGED)]
    assert trace(learning_curves(trials, minimize), "diverged or failed (1 trial)").y == (2.0, None)


def test_a_search_whose_trials_all_diverged_still_shows_their_curves(trial, minimize):
    trials = [trial(0, 1.0, 5.0, 40.0, status=TrialStatus.DIVERGED)]
    figure = learning_curves(trials, minimize)
    assert figure.layout.title.text == "No trial ended with a log loss"
    low, high = (10**end for end in figure.layout.yaxis.range)
    assert low < 1.0
    assert high > 40.0


def test_too_many_curves_are_thinned_evenly_and_the_caption_says_so(trial, minimize):
    trials = [trial(i, 9.0 + i, 1.0 + i) for i in range(300)]
    trials += [trial(300 + i, 3.0, 2.0, 0.5 + i) for i in range(5)]
    figure = learning_curves(trials, minimize, most=50)
    assert "50 of 305 curves" in figure.layout.title.subtitle.text
    few = trace(figure, "3 epochs (5 trials)")
    assert few.y.count(None) == 5
    many = trace(figure, "2 epochs (300 trials)")
    assert many.y.count(None) == 45
    assert {many.customdata[0], many.customdata[-1]} == {0, 299}


def test_long_curves_are_thinned_and_keep_their_end(trial, minimize):
    figure = learning_curves([trial(0, *[1000.0 - i for i in range(999)])], minimize)
    assert len(figure.data[-1].x) <= 200
    assert figure.data[-1].x[-1] == 999


def test_there_are_no_curves_of_one_epoch(trial, minimize):
    for trials in ([], [trial(0, 1.0)], [trial(0, 1.0, 2.0, metric="accuracy")]):
        with pytest.raises(ReportError, match="no trial has reported 'log_loss' for two epochs"):
            learning_curves(trials, minimize)


def test_of_thousands_of_trials_the_best_and_some_others_are_drawn(trial, minimize):
    trials = [trial(i, float(5_000 - i), finished_at=float(i)) for i in range(5_000)]
    figure = best_so_far(trials, minimize)
    (points,) = [each for each in figure.data if each.mode == "markers"]
    assert len(points.x) == 2_000
    assert set(range(4_500, 5_000)) < set(points.customdata)
    said = figure.layout.title.subtitle.text
    assert "2,000 of 5,000 trials are drawn: the best 500" in said


def test_the_line_of_thousands_of_trials_has_a_point_for_each_new_best_alone(trial, minimize):
    values = [3.0, 2.0, *[4.0] * 2_997, 1.0, *[4.0] * 100]
    trials = [trial(i, value, finished_at=float(i)) for i, value in enumerate(values)]
    line = trace(best_so_far(trials, minimize), "best so far")
    assert (line.y, line.x[-1]) == ((3.0, 2.0, 1.0, 1.0), line.x[-1])
    assert len(line.x) == 4
