import math

import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective

LOSS = Objective("loss")
ACCURACY = Objective("accuracy", "maximize")


def test_less_is_better_unless_it_is_said_otherwise():
    assert LOSS.direction == "minimize"
    assert LOSS.is_better(0.1, 0.2)
    assert not LOSS.is_better(0.2, 0.1)
    assert not LOSS.is_better(0.1, 0.1)
    assert ACCURACY.is_better(0.2, 0.1)
    assert not ACCURACY.is_better(0.1, 0.2)


@pytest.mark.parametrize("objective", [LOSS, ACCURACY])
def test_any_number_beats_nan_and_nan_beats_nothing(objective):
    for number in (0.0, math.inf, -math.inf):
        assert objective.is_better(number, math.nan)
        assert not objective.is_better(math.nan, number)
    assert not objective.is_better(math.nan, math.nan)


def test_badness_sorts_from_best_to_worst_with_nan_last():
    values = [0.3, math.nan, -1.0, 2.0]
    assert sorted(values, key=LOSS.badness)[:3] == [-1.0, 0.3, 2.0]
    assert math.isnan(sorted(values, key=LOSS.badness)[3])
    assert sorted(values, key=ACCURACY.badness)[:3] == [2.0, 0.3, -1.0]
    assert math.isnan(sorted(values, key=ACCURACY.badness)[3])


def test_the_value_is_the_metric_of_the_row():
    assert ACCURACY.value({"loss": 0.1, "accuracy": 0.9}) == 0.9


def test_a_metric_that_was_not_reported_is_named_with_those_that_were():
    with pytest.raises(SearchError, match="'accuracy' was not reported") as caught:
        ACCURACY.value({"loss": 0.1, "f1": 0.3})
    assert caught.value.where == "reported: loss, f1"
    with pytest.raises(SearchError) as caught:
        ACCURACY.value({})
    assert caught.value.where == "reported: nothing"


@pytest.mark.parametrize("direction", ["min", "", None, 1])
def test_a_direction_that_is_neither_is_refused(direction):
    with pytest.raises(SearchError, match="neither 'minimize' nor 'maximize'"):
        Objective("loss", direction)
