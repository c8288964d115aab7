import math

import pytest

from ripieno.errors import StudyError
from ripieno.loop import Budget, StopReason


def test_a_budget_without_limits_is_one():
    assert Budget() == Budget(seconds=None, epochs=None, target=None)


@pytest.mark.parametrize(
    "limits",
    [
        {"seconds": 0},
        {"seconds": -1.0},
        {"seconds": math.nan},
        {"seconds": math.inf},
        {"epochs": 0},
        {"failures": 0},
    ],
)
def test_a_limit_that_leaves_nothing_to_do_is_refused(limits):
    (name,) = limits
    with pytest.raises(StudyError, match=f"a budget of {name}"):
        Budget(**limits)


def test_a_target_that_cannot_be_reached_is_refused():
    with pytest.raises(StudyError, match="NaN"):
        Budget(target=math.nan)


def test_the_reasons_have_the_names_that_are_written_down():
    assert {reason.value for reason in StopReason} == {
        "finished",
        "budget_seconds",
        "budget_epochs",
        "target",
        "interrupted",
        "disk",
        "failures",
    }
