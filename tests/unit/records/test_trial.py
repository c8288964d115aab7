import math
from dataclasses import replace

import pytest

from ripieno.errors import SearchError
from ripieno.records import Config, Objective, Trial, TrialStatus

LOSS = Objective("loss")
TRIAL = Trial(
    3, Config({"lr": 0.1}), TrialStatus.PAUSED, ({"loss": 0.9}, {"loss": 0.4}, {"loss": 0.5})
)


def test_a_trial_has_trained_for_the_epochs_of_its_history():
    assert TRIAL.epochs == 3
    assert replace(TRIAL, first_epoch=6, parent=1).epochs == 9
    assert Trial(0, Config({}), TrialStatus.RUNNING).epochs == 0


def test_the_value_is_that_of_the_last_epoch_not_of_the_best():
    assert TRIAL.value(LOSS) == 0.5
    assert TRIAL.metrics == {"loss": 0.5}


def test_a_trial_that_goes_on_keeps_its_value():
    assert replace(TRIAL, status=TrialStatus.RUNNING).value(LOSS) == 0.5


@pytest.mark.parametrize("status", [TrialStatus.DIVERGED, TrialStatus.FAILED])
def test_a_dead_trial_has_no_value_however_good_it_was(status):
    assert math.isnan(replace(TRIAL, status=status).value(LOSS))


def test_a_trial_before_its_first_epoch_has_no_value_and_no_metrics():
    fresh = Trial(0, Config({}), TrialStatus.RUNNING)
    assert math.isnan(fresh.value(LOSS))
    assert fresh.metrics == {}


def test_a_metric_that_was_not_reported_is_an_error_and_not_nan():
    with pytest.raises(SearchError, match="'accuracy' was not reported"):
        TRIAL.value(Objective("accuracy", "maximize"))


def test_a_status_is_its_word():
    assert [str(status) for status in TrialStatus] == ["running", "paused", "diverged", "failed"]


def test_a_printed_trial_says_how_far_it_got_and_its_last_numbers_only():
    trial = Trial(3, Config({"lr": 0.5}), TrialStatus.PAUSED, ({"loss": 2.0}, {"loss": 0.125}))
    assert str(trial) == "trial 3, paused after 2 epochs: loss 0.125; Config(lr=0.5)"
