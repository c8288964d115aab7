import itertools
import math
from fractions import Fraction

import pytest

from ripieno.errors import SearchError
from ripieno.schedulers.rungs import Plan, halving_plan, hyperband_plans, levels, sizes


def cycle(*, epochs, eta=3, min_epochs=1):
    """One round of Hyperband's brackets, as [trials@epochs, …] each."""
    plans = hyperband_plans(trials=None, epochs=epochs, eta=eta, min_epochs=min_epochs)
    count = len(levels(epochs=epochs, eta=eta, min_epochs=min_epochs))
    return [
        list(zip(plan.sizes, plan.levels, strict=True)) for plan in itertools.islice(plans, count)
    ]


def test_brackets_of_81_epochs_are_those_of_algorithm_1():
    assert cycle(epochs=81) == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


def test_table_1_of_the_paper_agrees_where_its_rounding_makes_no_difference():
    # The table rounds (s_max + 1) / (s + 1) down before it multiplies; Algorithm 1 rounds the
    # product up. The first and the last bracket are the same, and so are all epochs.
    table = [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(27, 3), (9, 9), (3, 27), (1, 81)],
        [(9, 9), (3, 27), (1, 81)],
        [(6, 27), (2, 81)],
        [(5, 81)],
    ]
    brackets = cycle(epochs=81)
    assert brackets[0] == table[0]
    assert brackets[-1] == table[-1]
    for bracket, row in zip(brackets, table, strict=True):
        assert [epochs for _, epochs in bracket] == [epochs for _, epochs in row]
        assert all(ours >= theirs for (ours, _), (theirs, _) in zip(bracket, row, strict=True))


def test_brackets_of_9_and_27_epochs():
    assert cycle(epochs=9) == [[(9, 1), (3, 3), (1, 9)], [(5, 3), (1, 9)], [(3, 9)]]
    assert cycle(epochs=27) == [
        [(27, 1), (9, 3), (3, 9), (1, 27)],
        [(12, 3), (4, 9), (1, 27)],
        [(6, 9), (2, 27)],
        [(4, 27)],
    ]


def test_one_epoch_leaves_one_bracket_of_one_trial():
    assert cycle(epochs=1) == [[(1, 1)]]


def test_243_epochs_have_six_rungs_though_the_floating_logarithm_says_five():
    assert math.floor(math.log(243, 3)) == 4
    assert levels(epochs=243, eta=3, min_epochs=1) == (1, 3, 9, 27, 81, 243)
    assert [bracket[0][0] for bracket in cycle(epochs=243)] == [243, 98, 41, 18, 9, 6]


@pytest.mark.parametrize("eta", [2, 3, 4, 10])
@pytest.mark.parametrize("power", range(1, 12))
def test_levels_of_a_power_of_eta_are_all_its_powers(eta, power):
    assert levels(epochs=eta**power, eta=eta, min_epochs=1) == tuple(
        eta**k for k in range(power + 1)
    )


@pytest.mark.parametrize("eta", [2, 3, 5])
@pytest.mark.parametrize("min_epochs", [1, 2, 7])
@pytest.mark.parametrize("epochs", [7, 10, 26, 28, 50, 100, 255, 257])
def test_levels_and_brackets_equal_exact_fractions(eta, min_epochs, epochs):
    most = max(s for s in range(20) if Fraction(epochs, eta**s) >= min_epochs)
    expected = [
        [
            (
                max(
                    math.floor(math.ceil(Fraction(most + 1, s + 1) * eta**s) / Fraction(eta**i)), 1
                ),
                math.floor(Fraction(epochs, eta ** (s - i))),
            )
            for i in range(s + 1)
        ]
        for s in range(most, -1, -1)
    ]
    assert cycle(epochs=epochs, eta=eta, min_epochs=min_epochs) == expected


@pytest.mark.parametrize("epochs", [5, 10, 28, 100])
def test_levels_end_in_all_epochs_and_begin_near_the_fewest(epochs):
    found = levels(epochs=epochs, eta=3, min_epochs=4)
    assert found[-1] == epochs
    assert 4 <= found[0] < 12
    assert list(found) == sorted(set(found))


def test_sizes_shrink_by_eta_to_one_and_to_nothing_without_trials():
    assert sizes(100, rungs=6, eta=3) == (100, 33, 11, 3, 1, 1)
    assert sizes(1, rungs=3, eta=3) == (1, 1, 1)
    assert sizes(0, rungs=3, eta=3) == (0, 0, 0)


def test_a_number_of_trials_cuts_the_last_bracket():
    plans = list(hyperband_plans(trials=60, epochs=27, eta=3, min_epochs=1))
    assert [plan.trials for plan in plans] == [27, 12, 6, 4, 11]
    assert plans[-1].levels == (1, 3, 9, 27)
    assert plans[-1].sizes == (11, 3, 1, 1)


@pytest.mark.parametrize("trials", [1, 26, 27, 28, 49, 50, 1_000])
def test_brackets_hold_exactly_the_trials_that_were_asked_for(trials):
    plans = hyperband_plans(trials=trials, epochs=27, eta=3, min_epochs=1)
    assert sum(plan.trials for plan in plans) == trials


def test_a_plan_counts_its_orders():
    assert Plan(27, (1, 3, 9, 27), 3).orders == 27 + 9 + 3 + 1
    # One round of R = 81: 143 trials, 206 orders.
    plans = list(hyperband_plans(trials=143, epochs=81, eta=3, min_epochs=1))
    assert sum(plan.orders for plan in plans) == 206


def test_halving_is_the_most_exploratory_bracket():
    plan = halving_plan(trials=81, epochs=27, eta=3, min_epochs=1)
    assert plan == Plan(81, (1, 3, 9, 27), 3)
    assert plan.sizes == (81, 27, 9, 3)


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"epochs": 2.5}, "epochs = 2.5"),
        ({"trials": 0}, "trials = 0"),
        ({"eta": 1}, "eta = 1 is not a whole number from 2 up"),
        ({"eta": 2.5}, "eta = 2.5"),
        ({"min_epochs": 0}, "min_epochs = 0"),
        ({"min_epochs": 10}, "min_epochs = 10 is above epochs = 9"),
    ],
)
@pytest.mark.parametrize("make", [halving_plan, hyperband_plans])
def test_numbers_out_of_range_are_refused(make, numbers, problem):
    with pytest.raises(SearchError, match=problem) as caught:
        make(**{"trials": 9, "epochs": 9, "eta": 3, "min_epochs": 1} | numbers)
    assert "epochs=" in caught.value.where
