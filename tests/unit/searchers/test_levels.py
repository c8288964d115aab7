import math

import numpy as np

from ripieno.searchers.levels import Levels
from ripieno.searchers.memory import Result
from ripieno.space import Config

NAN, INF = math.nan, math.inf
CONFIG = Config({})


def levels(*curves, enough=3):
    found = Levels(enough)
    for number, curve in enumerate(curves):
        found.enter(Result(number, CONFIG, tuple(curve or ()), dead=curve is None))
    return found


def equal(found, expected):
    np.testing.assert_array_equal(found.badness, expected)


def test_without_enough_equals_every_trial_counts_with_what_it_gave_last():
    found = levels([3.0], [4.0, 2.0], None)
    assert found.level is None
    equal(found, [3.0, 2.0, INF])


def test_the_level_is_the_highest_one_that_enough_trials_have_reached():
    found = levels([3.0], [4.0], [5.0])
    assert found.level == 1
    for number, curve in enumerate([(3.0, 1.0), (4.0, 2.0), (5.0, 6.0)]):
        found.enter(Result(number, CONFIG, curve, dead=False))
        assert found.level == (1 if number < 2 else 2)
        if number < 2:
            equal(found, [3.0, 4.0, 5.0])
    equal(found, [1.0, 2.0, 6.0])


def test_those_that_stayed_at_the_level_below_are_left_out_and_those_further_on_cut():
    found = levels([1.0], [1.1], [1.2], [5.0, 6.0, 7.0], [8.0, 9.0], [2.0, 3.0], [4.0, 4.5])
    assert found.level == 2
    equal(found, [NAN, NAN, NAN, 6.0, 9.0, 3.0, 4.5])


def test_one_that_ended_between_two_levels_stands_as_if_it_were_trained_on():
    found = levels([1.0], [1.0], [1.0], *[[5.0, 4.0, 3.0]] * 3, [6.0, 2.5])
    assert found.level == 3
    equal(found, [NAN, NAN, NAN, 3.0, 3.0, 3.0, 2.5])


def test_a_dead_trial_is_bad_at_every_level_and_makes_none():
    found = levels(None, None, None, [1.0])
    assert found.level is None
    equal(found, [INF, INF, INF, 1.0])
    for number in (4, 5):
        found.enter(Result(number, CONFIG, (2.0,), dead=False))
    assert found.level == 1
    equal(found, [INF, INF, INF, 1.0, 2.0, 2.0])


def test_what_was_entered_early_is_entered_anew_when_a_lower_level_comes_up():
    found = levels([9.0, 3.0], [9.0, 4.0], [9.0, 5.0], [7.0])
    equal(found, [3.0, 4.0, 5.0, 7.0])
    for number in (4, 5):
        found.enter(Result(number, CONFIG, (8.0,), dead=False))
    equal(found, [3.0, 4.0, 5.0, NAN, NAN, NAN])


def test_rows_are_numbered_as_trials_first_come_and_grow_without_end():
    found = Levels(2)
    rows = [found.enter(Result(1_000 - n, CONFIG, (float(n),), dead=False)) for n in range(200)]
    assert rows == list(range(200))
    assert found.enter(Result(1_000, CONFIG, (5.0,), dead=False)) == 0
    equal(found, [5.0, *range(1, 200)])
