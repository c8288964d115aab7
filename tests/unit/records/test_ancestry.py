from dataclasses import replace

import pytest

from ripieno.errors import SearchError
from ripieno.records import (
    Config,
    Trial,
    TrialStatus,
    ancestry,
    config_by_epoch,
    history_by_epoch,
)


def trial(number, lr, epochs, *, first=0, parent=None):
    rows = tuple({"loss": number + epoch / 10} for epoch in range(first + 1, first + epochs + 1))
    config = Config({"lr": lr})
    return Trial(number, config, TrialStatus.PAUSED, rows, first_epoch=first, parent=parent)


# 0 is trained to 6; 1 is forked from it at 2 and trained to 5; 2 is forked from 1 at 4.
TRIALS = [
    trial(2, 0.04, 3, first=4, parent=1),
    trial(0, 0.01, 6),
    trial(1, 0.02, 3, first=2, parent=0),
]


def test_the_config_in_force_is_the_ancestors_up_to_each_fork():
    schedule = [config.lr for config in config_by_epoch(TRIALS, 2)]
    assert schedule == [0.01, 0.01, 0.02, 0.02, 0.04, 0.04, 0.04]
    assert [config.lr for config in config_by_epoch(TRIALS, 1)] == [0.01] * 2 + [0.02] * 3


def test_a_trial_without_a_parent_has_one_config():
    assert config_by_epoch(TRIALS, 0) == (Config({"lr": 0.01}),) * 6


def test_the_curve_along_the_ancestry_has_a_row_an_epoch():
    rows = [row["loss"] for row in history_by_epoch(TRIALS, 2)]
    assert rows == pytest.approx([0.1, 0.2, 1.3, 1.4, 2.5, 2.6, 2.7])


def test_ancestors_come_oldest_first():
    assert [each.id for each in ancestry(TRIALS, 2)] == [0, 1, 2]


@pytest.mark.parametrize(("trials", "number"), [(TRIALS, 9), (TRIALS[:1], 2)])
def test_a_trial_that_is_not_there_is_named(trials, number):
    with pytest.raises(SearchError, match="there is no trial"):
        config_by_epoch(trials, number)


def test_a_trial_that_descends_from_itself_is_refused():
    circle = [replace(TRIALS[0], id=0, parent=1), replace(TRIALS[0], id=1, parent=0)]
    with pytest.raises(SearchError, match="descends from itself"):
        ancestry(circle, 1)
