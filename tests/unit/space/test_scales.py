import math

import numpy as np
import pytest

from ripieno.space.scales import Evenly, Linear, Logarithmic, Point


def test_a_point_is_the_middle_of_nothing():
    assert Point(3.0).decode(0.9) == 3.0
    assert Point(3.0).encode(3.0) == 0.5


@pytest.mark.parametrize(
    ("low", "high", "unit", "number"),
    [(0.0, 1.0, 0.25, 0.25), (-4.0, 4.0, 0.75, 2.0), (0.0, 0.6, 1 / 3, 0.2), (5.0, 7.0, 0.5, 6.0)],
)
def test_a_linear_scale_is_linear(low, high, unit, number):
    assert Linear(low, high).decode(unit) == number
    assert Linear(low, high).encode(number) == pytest.approx(unit, abs=1e-11)


@pytest.mark.parametrize(
    ("low", "high", "unit", "number"),
    [
        (1e-4, 1.0, 0.5, 1e-2),
        (1e-4, 1.0, 0.75, 1e-1),
        (2.0, 32.0, 0.25, 4.0),
        (1e-9, 1e9, 0.5, 1.0),
    ],
)
def test_a_logarithmic_scale_is_linear_in_the_logarithm(low, high, unit, number):
    assert Logarithmic(low, high).decode(unit) == number
    assert Logarithmic(low, high).encode(number) == pytest.approx(unit, abs=1e-11)


@pytest.mark.parametrize("scale", [Linear(0.1, 0.7), Logarithmic(0.1, 0.7), Evenly(0.1, 0.7, 0.1)])
def test_what_lies_outside_the_unit_interval_becomes_an_end(scale):
    assert scale.decode(-3.0) == scale.decode(0.0) == 0.1
    assert scale.decode(4.0) == scale.decode(1.0) == 0.7


@pytest.mark.parametrize(
    ("low", "high", "decimals"),
    [(0.0, 1.0, 11), (0.0, 0.6, 12), (-300.0, 500.0, 9), (1e6, 1e6 + 1e-3, 9), (0.0, 1e300, -289)],
)
def test_a_linear_grid_has_twelve_digits_in_the_width_if_the_ends_leave_as_many(
    low, high, decimals
):
    assert Linear(low, high).decimals == decimals


def test_a_logarithmic_grid_has_twelve_significant_digits_and_eleven_at_extremes():
    assert Logarithmic(1e-4, 1.0).decode(0.3) == float(f"{10**-2.8:.11e}")
    assert Logarithmic(1e-4, 1.0).digits == 12
    assert Logarithmic(1e-300, 1e300).digits == 11


def test_grid_points_that_crowd_an_end_become_the_end():
    # Without this, 0.5 and the end just above it would share one point of the unit interval.
    high = math.nextafter(0.5, 1.0)
    scale = Linear(-1e10, high)
    assert scale.nearest(0.5) == high
    assert scale.nearest(0.4) == 0.4
    scale = Logarithmic(1e-4, math.nextafter(1.0, 2.0))
    assert scale.decode(math.nextafter(1.0, 0.0)) == scale.high


def test_a_linear_scale_never_gives_a_negative_zero():
    units = 0.5 + np.linspace(-1e-12, 1e-12, 101)
    zeros = [Linear(-1.0, 1.0).decode(float(unit)) for unit in units]
    assert {math.copysign(1.0, zero) for zero in zeros if zero == 0.0} == {1.0}


def test_steps_share_the_unit_interval_evenly():
    scale = Evenly(0.1, 0.5, 0.1)
    assert scale.size == 5
    assert [scale.decode(unit) for unit in (0.0, 0.199, 0.2, 0.5, 0.799, 0.8, 1.0)] == [
        0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5,
    ]  # fmt: skip
    assert scale.encode(0.3) == 0.5


def test_steps_that_do_not_reach_the_end_stop_before_it():
    assert Evenly(0.0, 1.0, 0.3).size == 4
    assert Evenly(0.0, 1.0, 0.3).decode(1.0) == 0.9
    assert Evenly(0.0, 1.0, 5.0).size == 1
    assert Evenly(0.0, 1.0, 0.3334).size == 3


def test_steps_hold_their_own_numbers_only():
    scale = Evenly(0.0, 1.0, 0.3)
    assert [number for number in (0.0, 0.3, 0.6, 0.9, 0.1 + 0.2) if scale.holds(number)] == [
        0.0, 0.3, 0.6, 0.9, 0.1 + 0.2,
    ]  # fmt: skip
    assert not any(scale.holds(number) for number in (0.1, 0.31, 0.45, 1.0))


def test_steps_too_fine_for_the_grid_say_so():
    assert Evenly(0.0, 1.0, 1e-9).too_fine
    assert not Evenly(0.0, 1.0, 1e-7).too_fine
    assert Evenly(1e15, 1e15 + 10, 0.25).too_fine
