from ripieno.records import Merit
from ripieno.schedulers.bracket import Bracket
from ripieno.schedulers.rungs import Plan

DEAD = None


def filled(trials, *, levels=(1, 3, 9), eta=3):
    bracket = Bracket(Plan(trials, levels, eta))
    for trial in range(trials):
        assert not bracket.full
        bracket.enter(trial)
    return bracket


def tell(bracket, values):
    for trial, badness in values.items():
        assert not bracket.complete
        bracket.tell(trial, None if badness is DEAD else Merit((badness,)))
    assert bracket.complete


def test_a_bracket_is_full_with_the_planned_trials():
    assert filled(9).full
    assert filled(9).members == list(range(9))


def test_each_rung_keeps_the_best_third_and_trains_three_times_as_long():
    bracket = filled(9)
    assert bracket.epochs == 1
    tell(bracket, dict(enumerate([5, 3, 9, 1, 2, 8, 7, 4, 6])))
    assert bracket.decide() == [3, 4, 1]
    assert bracket.epochs == 3
    tell(bracket, {1: 0.5, 3: 0.7, 4: 0.6})
    assert bracket.decide() == [1]
    assert bracket.epochs == 9
    tell(bracket, {1: 0.1})
    assert bracket.decide() == []


def test_a_rung_that_has_been_decided_takes_no_more_trials():
    bracket = filled(3, levels=(1, 3))
    tell(bracket, {0: 1.0, 1: 2.0, 2: 3.0})
    bracket.decide()
    assert bracket.full


def test_places_of_dead_trials_stay_empty_when_there_are_not_enough_living():
    bracket = filled(9)
    assert bracket.orders == 9 + 3 + 1
    tell(bracket, dict(enumerate([DEAD, DEAD, 4, DEAD, DEAD, DEAD, 3, DEAD, DEAD])))
    assert bracket.decide() == [6, 2]
    assert bracket.orders == 9 + 2 + 1


def test_a_bracket_in_which_all_die_is_over():
    bracket = filled(3, levels=(1, 3))
    tell(bracket, {0: DEAD, 1: DEAD, 2: DEAD})
    assert bracket.decide() == []
    assert bracket.orders == 3


def test_a_closed_bracket_makes_do_with_the_trials_that_are_in():
    bracket = Bracket(Plan(27, (1, 3, 9, 27), 3))
    for trial in range(7):
        bracket.enter(trial)
    bracket.close()
    assert bracket.full
    assert bracket.orders == 7 + 2 + 1 + 1
    tell(bracket, {trial: trial for trial in range(7)})
    assert bracket.decide() == [0, 1]


def test_a_bracket_that_is_closed_empty_gives_nothing():
    bracket = Bracket(Plan(4, (9, 27), 3))
    bracket.close()
    assert bracket.complete
    assert bracket.orders == 0
    assert bracket.decide() == []
