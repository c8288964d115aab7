"""A grid of scikit-learn spans a space of the same configs."""

import numpy as np
import pytest
from sklearn.model_selection import ParameterGrid

import ripieno as rp
from ripieno.interop.sklearn.grids import space_of

SINGLE = {"lr": [0.1, 0.01], "depth": [1, 2, 3], "norm": ["batch"]}
SEVERAL = [
    {"optimizer": ["sgd"], "momentum": [0.5, 0.9], "lr": [0.1, 1.0]},
    {"optimizer": ["adam", "adamw"], "lr": [0.001, 0.1]},
]


def test_a_space_is_taken_as_it_is():
    space = rp.Space(lr=rp.Float(0.1, 1.0))
    assert space_of(space) is space


def test_a_walk_meets_the_configs_in_the_sequence_of_scikit_learn():
    assert [dict(config) for config in space_of(SINGLE).grid()] == [
        dict(params) for params in ParameterGrid(SINGLE)
    ]


def test_the_first_config_of_the_grid_is_the_default_one():
    space = space_of(SINGLE)
    assert space.default() == next(space.grid())


def test_several_grids_give_all_of_their_configs_and_no_other():
    found = [dict(config) for config in space_of(SEVERAL).grid()]
    expected = [dict(params) for params in ParameterGrid(SEVERAL)]
    assert len(found) == len(expected)
    assert all(params in expected for params in found)


def test_draws_from_several_grids_are_configs_of_one_of_them():
    expected = [dict(params) for params in ParameterGrid(SEVERAL)]
    draws = space_of(SEVERAL).sample(np.random.default_rng(0), 30)
    assert all(dict(draw) in expected for draw in draws)


def test_numbers_of_numpy_become_plain_ones():
    space = space_of({"lr": np.logspace(-2, -1, 2), "depth": np.array([1, 2])})
    assert dict(next(space.grid())) == {"depth": 1, "lr": 0.01}


@pytest.mark.parametrize(
    ("grid", "problem"),
    [
        ([], "is no grid"),
        ({}, "is no grid"),
        (["lr"], "is no grid"),
        ({"lr": 0.1}, "is no list"),
        ({"lr": "auto"}, "is no list"),
        ({"lr": []}, "is no list"),
        ({"module__hidden": [1]}, "is a name of skorch"),
        ({"width": [(64, 32)]}, "cannot store"),
        ([{"lr": [1]}, {"lr": [1], "momentum": [0.9]}], "no hyperparameter tells"),
    ],
)
def test_what_is_no_grid_is_refused(grid, problem):
    with pytest.raises(rp.RipienoError, match=problem):
        space_of(grid)
