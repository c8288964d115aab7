import math

import pytest

from ripieno.space import Categorical, Constant, Float, Int, Space
from ripieno.testing import finite_spaces


@pytest.mark.parametrize("name", sorted(finite_spaces()))
def test_the_grid_gives_as_many_different_configs_as_the_size_says(name):
    space = finite_spaces()[name]
    configs = list(space.grid())
    assert len(set(configs)) == len(configs)
    if not space.constraints:
        assert len(configs) == space.size


def test_an_inactive_hyperparameter_is_not_varied():
    space = Space(
        momentum=Float(0.0, 0.8, step=0.4).when(optimizer="sgd"),
        optimizer=Categorical("sgd", "adam"),
    )
    assert [dict(config) for config in space.grid()] == [
        {"momentum": 0.0, "optimizer": "sgd"},
        {"momentum": 0.4, "optimizer": "sgd"},
        {"momentum": 0.8, "optimizer": "sgd"},
        {"optimizer": "adam"},
    ]
    assert space.size == 4


def test_the_size_of_nested_conditions_adds_up_branch_by_branch():
    space = Space(
        kind=Categorical("a", "b", "c"),
        depth=Int(1, 5).when(kind=("a", "b")),
        width=Int(1, 7).when(depth=(2, 4)),
        bias=Categorical(True, False),
    )
    # Two kinds with five depths, of which two have seven widths; one kind alone.
    assert space.size == 2 * (2 * (3 + 2 * 7) + 1)
    assert space.size == len(list(space.grid()))


def test_the_size_is_infinite_with_a_continuous_hyperparameter_that_others_hang_on():
    space = Space(lr=Float(0.0, 1.0), extra=Int(1, 2).when(lr=0.5))
    assert space.size == math.inf
    space = Space(
        kind=Categorical("a"), lr=Float(0.0, 1.0).when(kind="a"), x=Int(1, 2).when(lr=0.5)
    )
    assert space.size == math.inf


def test_the_size_of_a_vast_space_is_exact_and_at_once():
    flags = {f"flag{index}": Categorical(True, False) for index in range(60)}
    children = {f"child{index}": Int(1, 10).when(**{f"flag{index}": True}) for index in range(60)}
    assert Space(**flags, **children).size == 11**60
    seeds = Space(seed=Int(1, 10**12), extra=Int(1, 3).when(seed=(7, 8)))
    assert seeds.size == 10**12 - 2 + 2 * 3


def test_spaces_without_a_choice_have_one_config():
    assert Space().size == 1
    assert Space(epochs=Constant(3)).size == 1


def test_the_grid_can_be_walked_twice():
    space = finite_spaces()["finite_nested"]
    assert list(space.grid()) == list(space.grid())
