import pytest

from ripieno.records import Objective
from ripieno.searchers import choose_searcher, make_searcher
from ripieno.space import Categorical, Constant, Float, Int, Space

REALS = Space(**{f"x{i}": Float(0.0, 1.0) for i in range(6)})
WIDE = Space(**{f"x{i}": Float(0.0, 1.0) for i in range(101)})
CELL = Space(**{f"edge{i}": Categorical(*range(5)) for i in range(6)})
MIXED = Space(
    optimizer=Categorical("sgd", "adam"),
    momentum=Float(0.0, 1.0).when(optimizer="sgd"),
    depth=Int(1, 8),
)
SMALL = Space(kernel=Categorical(3, 5), depth=Int(1, 4), epochs=Constant(3))
NOTHING = Space(epochs=Constant(3))


@pytest.mark.parametrize(
    ("space", "trials", "name"),
    [
        (SMALL, 8, "grid"),
        (SMALL, 7, "sobol"),
        (NOTHING, 1, "grid"),
        (MIXED, 10, "sobol"),
        (MIXED, 11, "gaussianprocess"),
        (MIXED, 301, "treeparzen"),
        (MIXED, 5_000, "treeparzen"),
        (MIXED, None, "treeparzen"),
        (CELL, 100, "gaussianprocess"),
        (CELL, 20_000, "grid"),
        (REALS, 300, "gaussianprocess"),
        (REALS, 999, "treeparzen"),
        (REALS, 1_000, "cmaes"),
        (WIDE, 100, "treeparzen"),
        (WIDE, 5_000, "treeparzen"),
    ],
)
def test_the_choice_goes_by_trials_dimension_and_kind(space, trials, name):
    assert choose_searcher(space, trials=trials).name == name


def test_the_reason_names_what_decided():
    assert choose_searcher(SMALL, trials=100).reason == "100 trials are enough for all 8 configs"
    reason = choose_searcher(MIXED, trials=40).reason
    assert reason == "40 trials, 3 hyperparameters: few enough to model all of them together"
    reason = choose_searcher(REALS, trials=2_000).reason
    assert reason.startswith("2,000 trials, 6 hyperparameters, all of them numbers")
    assert "unknown number of trials" in choose_searcher(REALS, trials=None).reason


@pytest.mark.parametrize("space", [REALS, WIDE, CELL, MIXED, SMALL, NOTHING])
@pytest.mark.parametrize("trials", [None, 1, 10, 100, 10_000])
def test_whatever_is_chosen_can_be_made(space, trials):
    name = choose_searcher(space, trials=trials).name
    made = make_searcher(name, space, seed=0, objective=Objective("loss"))
    assert made.suggest(1) == [space.default()]
