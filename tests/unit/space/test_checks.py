import math

import pytest

from ripieno.errors import SpaceError
from ripieno.space.checks import check_choice, check_range, check_real, check_whole


@pytest.mark.parametrize("value", [0, 1, -2.5, 1e-300, -1e300])
def test_a_real_number_becomes_a_float(value):
    assert check_real("low", value, where="") == value
    assert type(check_real("low", value, where="")) is float


def test_a_negative_zero_becomes_zero():
    assert math.copysign(1.0, check_real("low", -0.0, where="")) == 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e301, 5e-324, 10**400, True, "1", None])
def test_numbers_beyond_what_the_scales_can_do_are_refused(value):
    with pytest.raises(SpaceError, match="low = ") as caught:
        check_real("low", value, where="Float")
    assert caught.value.where == "Float"


@pytest.mark.parametrize("value", [3, 3.0, -(10**30)])
def test_a_whole_number_becomes_an_int(value):
    assert check_whole("low", value, where="") == value
    assert type(check_whole("low", value, where="")) is int


@pytest.mark.parametrize("value", [2.5, math.nan, math.inf, True, "3", None])
def test_what_is_not_whole_is_refused(value):
    with pytest.raises(SpaceError, match="is not a whole number"):
        check_whole("low", value, where="")


def test_a_choice_that_equals_nothing_is_refused():
    with pytest.raises(SpaceError, match="nan equals no value"):
        check_choice(math.nan, where="")
    assert check_choice(math.inf, where="") == math.inf


def test_a_choice_that_is_an_object_is_refused_with_a_way_out():
    with pytest.raises(SpaceError, match="is a list") as caught:
        check_choice([1], where="Categorical([1])")
    assert "look the object up" in caught.value.fix


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"low": 3.0}, "low = 3.0 is above high = 2.0"),
        ({"step": 0.0}, "step = 0.0 is not positive"),
        ({"step": -1.0}, "step = -1.0 is not positive"),
        ({"log": "yes"}, "log = 'yes' is neither True nor False"),
        ({"log": True, "low": 0.0}, "cannot start at low = 0.0"),
        ({"log": True, "step": 0.5}, "no even steps"),
    ],
)
def test_bounds_scale_and_step_that_do_not_go_together_are_refused(changes, problem):
    settings = {"low": 1.0, "high": 2.0, "log": False, "step": None} | changes
    low, high = settings.pop("low"), settings.pop("high")
    with pytest.raises(SpaceError, match=problem) as caught:
        check_range(low, high, **settings, where="here", positive="1e-6")
    assert caught.value.where == "here"
