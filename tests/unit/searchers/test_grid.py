import itertools

import pytest

from ripieno.errors import SpaceError
from ripieno.searchers import Grid
from ripieno.space import Categorical, Config, Constant, Float, Int, Space


def test_grid_gives_the_product_of_the_domains_with_the_last_name_fastest():
    space = Space(kernel=Categorical(3, 5), depth=Int(1, 3), bias=Categorical(True, False))
    expected = [
        Config({"kernel": kernel, "depth": depth, "bias": bias})
        for kernel, depth, bias in itertools.product((3, 5), (1, 2, 3), (True, False))
    ]
    assert Grid(space).suggest(100) == expected


def test_grid_refuses_a_continuous_domain_when_it_is_made():
    with pytest.raises(SpaceError, match="'lr' is continuous") as caught:
        Grid(Space(depth=Int(1, 3), lr=Float(0.0, 1.0)))
    assert "step=" in caught.value.fix


def test_grid_refuses_a_continuous_domain_that_is_only_sometimes_active():
    with pytest.raises(SpaceError, match="'momentum' is continuous"):
        Grid(Space(optimizer=Categorical("sgd"), momentum=Float(0, 1).when(optimizer="sgd")))


def test_grid_of_any_size_gives_its_first_configs_at_once():
    space = Space(**{f"x{index}": Int(0, 10**9) for index in range(50)})
    first, second = Grid(space).suggest(2)
    assert set(first.values()) == {0}
    assert second == Config({**first, "x49": 1})


def test_grid_over_more_hyperparameters_than_python_nests_calls():
    space = Space(**{f"x{index}": Constant(index) for index in range(3_000)}, last=Int(1, 2))
    assert [config["last"] for config in Grid(space).suggest(5)] == [1, 2]


def test_grid_is_exhausted_after_the_last_config():
    grid = Grid(Space(depth=Int(1, 3)))
    assert [config["depth"] for config in grid.suggest(2)] == [1, 2]
    assert [config["depth"] for config in grid.suggest(2)] == [3]
    assert grid.suggest(2) == []


def test_grid_leaves_out_what_the_constraints_forbid():
    space = Space(a=Int(1, 4), b=Int(1, 4)).where("a * b == 4")
    assert [dict(config) for config in Grid(space).suggest(10)] == [
        {"a": 1, "b": 4},
        {"a": 2, "b": 2},
        {"a": 4, "b": 1},
    ]


def test_grid_of_a_space_without_choices_has_one_config():
    assert Grid(Space(epochs=Constant(3))).suggest(5) == [Config({"epochs": 3})]
    assert Grid(Space()).suggest(5) == [Config({})]
