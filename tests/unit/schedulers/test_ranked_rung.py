from hypothesis import given
from hypothesis import strategies as st

from ripieno.records import Merit, ranked
from ripieno.schedulers.open_rung import OpenRung
from ripieno.schedulers.ranked_rung import RankedRung

MERITS = st.none() | st.builds(
    lambda a, b, broken: Merit((a, b), broken),
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from([0.0, 0.0, 0.5]),
)


@given(st.lists(MERITS, max_size=25), st.integers(2, 4))
def test_promotions_are_the_first_of_the_ranking_at_every_step(merits, eta):
    rung, promoted = RankedRung(eta), set()
    for trial, merit in enumerate(merits):
        rung.tell(trial, merit)
        top = ranked(dict(enumerate(merits[: trial + 1])))[: (trial + 1) // eta]
        expected = next((each for each in top if each not in promoted), None)
        assert rung.promote() == expected
        promoted.add(expected)
    assert rung.healthy == sum(merit is not None for merit in merits)


@given(st.lists(st.none() | st.integers(0, 4), max_size=25))
def test_with_one_objective_it_promotes_as_an_open_rung_does(values):
    rungs = RankedRung(3), OpenRung(3)
    for trial, value in enumerate(values):
        for rung in rungs:
            rung.tell(trial, None if value is None else Merit((float(value),)))
        assert rungs[0].promote() == rungs[1].promote()
    assert rungs[0].promote_anyway() == rungs[1].promote_anyway()
