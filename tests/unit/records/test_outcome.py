import pytest

from ripieno.records import Config, Order, Outcome, OutcomeStatus

ORDER = Order(7, Config({"lr": 0.1}), 3, 9)


@pytest.mark.parametrize("rows", [0, 2, 6])
def test_a_trial_has_reached_the_epoch_of_its_last_row(rows):
    outcome = Outcome(ORDER, OutcomeStatus.STOPPED, metrics=({"loss": 1.0},) * rows)
    assert outcome.reached == 3 + rows


def test_an_outcome_without_anything_kept_has_no_keys():
    outcome = Outcome(ORDER, OutcomeStatus.FAILED, error="ValueError: no")
    assert (outcome.metrics, outcome.state, outcome.predictions) == ((), None, None)


def test_a_status_is_its_word():
    assert [str(status) for status in OutcomeStatus] == ["done", "diverged", "failed", "stopped"]
    assert OutcomeStatus("done") is OutcomeStatus.DONE
