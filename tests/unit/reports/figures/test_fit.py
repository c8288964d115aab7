import math

import pytest

from ripieno.errors import ReportError
from ripieno.reports.figures import fit


def with_losses(trial, number, training, validation):
    rows = ({"train_loss": 9.0, "log_loss": 9.0}, {"train_loss": training, "log_loss": validation})
    return trial(number, 0.0, history=rows)


def test_a_point_is_a_trial_at_its_last_epoch_and_the_best_is_marked(trial, minimize):
    trials = [with_losses(trial, 0, 0.3, 0.5), with_losses(trial, 1, 0.1, 0.4)]
    points, best, equal = fit(trials, minimize).data
    assert (points.x, points.y) == ((0.3, 0.1), (0.5, 0.4))
    assert (best.x, best.y, best.name) == ((0.1,), (0.4,), "trial 1, the best")
    assert equal.x == equal.y == (0.1, 0.5)


def test_the_title_says_both_losses_of_the_best(trial, minimize):
    title = fit([with_losses(trial, 7, 0.1, 0.4)], minimize).layout.title.text
    assert title == "Trial 7 has a loss of 0.1 on training rows and of 0.4 on validation rows"


def test_trials_without_both_losses_are_not_drawn(trial, minimize):
    trials = [with_losses(trial, 0, math.nan, 0.5), trial(1, 0.4), with_losses(trial, 2, 0.3, 0.6)]
    assert fit(trials, minimize).data[0].customdata == (2,)
    with pytest.raises(ReportError, match="no trial has both 'train_loss' and 'log_loss'"):
        fit(trials[:2], minimize)


def test_a_loss_of_zero_keeps_the_axes_linear(trial, minimize):
    figure = fit([with_losses(trial, 0, 0.0, 0.5), with_losses(trial, 1, 3.0, 4.0)], minimize)
    assert figure.layout.xaxis.type is None
    figure = fit([with_losses(trial, 0, 0.01, 0.5), with_losses(trial, 1, 3.0, 4.0)], minimize)
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
