import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ripieno.errors import SearchError
from ripieno.records import Merit, crowding, front, fronts, hypervolume, ranked

COORDINATE = st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0, math.inf])
POINTS = st.integers(1, 3).flatmap(
    lambda size: st.lists(st.tuples(*[COORDINATE] * size), min_size=1, max_size=25)
)


def dominates(left, right):
    return all(a <= b for a, b in zip(left, right, strict=True)) and left != right


def peeled(points):
    """Fronts by their definition: what nobody left dominates, again and again."""
    left, found = set(range(len(points))), []
    while left:
        best = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        found.append(sorted(best))
        left -= best
    return found


@given(POINTS)
def test_fronts_are_those_of_comparing_all_with_all(points):
    assert [list(rows) for rows in fronts(np.array(points))] == peeled(points)


@given(POINTS)
def test_a_ranking_goes_front_by_front_and_holds_everybody_once(points):
    merits = {trial: Merit(point) for trial, point in enumerate(points)}
    place = {trial: at for at, rows in enumerate(peeled(points)) for trial in rows}
    order = ranked(merits)
    assert sorted(order) == list(merits)
    assert [place[trial] for trial in order] == sorted(place.values())


def test_crowding_is_the_gap_between_neighbours_and_endless_at_the_ends():
    points = np.array([[0.0, 1.0], [0.2, 0.5], [0.9, 0.4], [1.0, 0.0]])
    expected = [math.inf, 0.9 + 0.6, 0.8 + 0.5, math.inf]
    assert crowding(points) == pytest.approx(expected)
    assert list(crowding(np.array([[1.0, 2.0]]))) == [math.inf]


def test_of_a_front_the_ends_come_first_and_then_who_stands_alone():
    points = [(0.2, 0.5), (0.0, 1.0), (0.9, 0.4), (1.0, 0.0), (2.0, 2.0)]
    assert ranked(dict(enumerate(map(Merit, points)))) == [1, 3, 0, 2, 4]


def test_of_one_objective_the_least_comes_first_and_ties_go_to_the_earlier_trial():
    badness = {9: 0.5, 4: 0.5, 2: math.inf, 7: -math.inf, 1: 0.7}
    for arrival in itertools.permutations(badness.items()):
        merits = {trial: Merit((value,)) for trial, value in arrival}
        assert ranked({**merits, 3: None}) == [7, 4, 9, 1, 2]


def test_what_breaks_a_limit_ranks_after_all_that_keep_them_by_violation():
    merits = {
        0: Merit((0.0, 0.0), 0.5),
        1: Merit((9.0, 9.0)),
        2: Merit((1.0, 1.0), 0.1),
        3: Merit((5.0, 5.0), 0.1),
        4: Merit((2.0, 2.0)),
        5: None,
    }
    assert ranked(merits) == [4, 1, 2, 3, 0]


def test_the_front_is_in_the_sequence_of_the_first_objective_and_keeps_the_limits():
    merits = {
        0: Merit((3.0, 1.0)),
        1: Merit((1.0, 3.0)),
        2: Merit((2.0, 2.0)),
        3: Merit((3.0, 3.0)),
        4: Merit((0.0, 0.0), 1.0),
    }
    assert front(merits) == [1, 2, 0]
    assert front({4: merits[4]}) == []
    assert front({}) == []


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=8))
def test_a_hypervolume_is_the_count_of_unit_squares_that_are_dominated(points):
    squares = sum(
        any(x <= column and y <= row for x, y in points)
        for column, row in itertools.product(range(5), range(5))
    )
    assert hypervolume([(float(x), float(y)) for x, y in points], (5.0, 5.0)) == squares


def test_a_hypervolume_of_three_objectives_is_refused():
    with pytest.raises(SearchError, match="two objectives"):
        hypervolume([(1.0, 2.0, 3.0)], (5.0, 5.0))
