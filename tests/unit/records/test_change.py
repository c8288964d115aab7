import math

import pytest

from ripieno.records import Change, Config, Trial, TrialStatus
from ripieno.space import Float, Space

TRIAL = Trial(-1, Config({"x": 0.1, "on": True}), TrialStatus.PAUSED, ({"loss": 0.3, "b": 2.0},), 8)


@pytest.mark.parametrize(
    "change",
    [
        Change(enqueued=(Config({"x": 1}), Config({"x": 2})), origins=(4, 0)),
        Change(observed=(TRIAL,), enqueued=(Config({"x": 1, "kind": "a", "none": None}),)),
        Change(observed=(Trial(-3, Config({"x": 0.5}), TrialStatus.FAILED),)),
        Change(space=Space(x=Float(0.0, 1.0)).to_json()),
        Change(trials=200),
        Change(),
    ],
)
def test_a_change_comes_back_from_json_as_it_was(change):
    again = Change.from_json(change.to_json())
    assert again == change
    for before, after in zip(change.enqueued, again.enqueued, strict=True):
        assert list(map(type, before.values())) == list(map(type, after.values()))


def test_a_trial_keeps_its_last_numbers_and_how_far_it_was_trained():
    (trial,) = Change.from_json(Change(observed=(TRIAL,)).to_json()).observed
    assert (trial.epochs, trial.metrics) == (9, {"loss": 0.3, "b": 2.0})


def test_numbers_that_are_not_finite_survive():
    trial = Trial(-1, Config({"x": 1}), TrialStatus.DIVERGED, ({"loss": math.inf},))
    (again,) = Change.from_json(Change(observed=(trial,)).to_json()).observed
    assert again.metrics["loss"] == math.inf


@pytest.mark.parametrize(
    "text",
    ["[]", "3", '{"enqueued": [[1]]}', '{"trials": 1.5}', '{"observed": [{"id": 1}]}', "[" * 9999],
)
def test_a_text_that_holds_no_change_is_a_value_error(text):
    with pytest.raises(ValueError, match="no change of a study"):
        Change.from_json(text)
