import math

from hypothesis import given
from hypothesis import strategies as st

from ripieno.records import Merit
from ripieno.schedulers.open_rung import OpenRung


def merit(badness):
    return None if math.isnan(badness) else Merit((badness,))


RESULTS = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, math.inf, math.nan]), max_size=40)


def plainly(told, promoted, eta):
    """Algorithm 2's rule by sorting everything: the best of the top 1/eta that is not promoted."""
    ranked = sorted((b, t) for t, b in enumerate(told) if not math.isnan(b))
    top = [trial for _, trial in ranked[: len(told) // eta]]
    return next((trial for trial in top if trial not in promoted), None)


@given(RESULTS, st.integers(2, 4), st.data())
def test_promotions_are_those_of_sorting_at_every_step(results, eta, data):
    rung, promoted = OpenRung(eta), set()
    for trial, badness in enumerate(results):
        rung.tell(trial, merit(badness))
        while data.draw(st.booleans()):
            expected = plainly(results[: trial + 1], promoted, eta)
            assert rung.promote() == expected
            promoted.add(expected)
            if expected is None:
                break


def test_a_trial_that_was_overtaken_comes_back_when_the_rung_has_grown():
    rung = OpenRung(2)
    for trial, badness in enumerate([0.5, 0.9]):
        rung.tell(trial, merit(badness))
    rung.tell(2, merit(0.1))  # three told, one place: trial 2 takes it from trial 0
    assert [rung.promote(), rung.promote()] == [2, None]
    rung.tell(3, merit(0.95))  # four told, two places
    assert [rung.promote(), rung.promote()] == [0, None]


def test_the_dead_make_room_but_never_go_on():
    rung = OpenRung(3)
    rung.tell(0, None)
    rung.tell(1, None)
    assert (rung.promote(), rung.healthy) == (None, 0)
    rung.tell(2, merit(7.0))
    assert (rung.promote(), rung.healthy) == (2, 1)
    assert rung.promote_anyway() is None


def test_the_best_goes_on_anyway_where_there_are_too_few():
    rung = OpenRung(4)
    for trial, badness in enumerate([0.5, 0.2, 0.2]):
        rung.tell(trial, merit(badness))
    assert rung.promote() is None
    assert [rung.promote_anyway() for _ in range(4)] == [1, 2, 0, None]
