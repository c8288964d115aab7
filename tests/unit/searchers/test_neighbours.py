import math
from itertools import product

import numpy as np
import pytest

from ripieno.searchers.neighbours import mutate, neighbours
from ripieno.space import Categorical, Constant, Float, Int, Space
from ripieno.testing import example_spaces

CELL = Space(**{f"edge{edge}": Categorical("none", "skip", "conv", "pool") for edge in range(4)})


def apart(left, right):
    return sum(left.get(name) != right.get(name) for name in {*left, *right})


def test_the_neighbours_in_a_space_of_choices_are_all_configs_at_distance_one():
    everything = [CELL.config(dict(zip(CELL, ops, strict=True))) for ops in product(*(
        ("none", "skip", "conv", "pool"),) * 4)]  # fmt: skip
    for config in everything[::37]:
        found = list(neighbours(CELL, config, step=0.25))
        assert len(found) == 4 * 3
        assert set(found) == {other for other in everything if apart(other, config) == 1}


@pytest.mark.parametrize("domain", [Int(1, 9), Int(1, 9, log=True), Float(0.0, 0.8, step=0.1)])
def test_a_number_of_few_values_goes_to_those_beside_it(domain):
    space = Space(n=domain)
    for index in range(9):
        config = space.config(n=domain.nth(index))
        beside = [domain.nth(i) for i in (index - 1, index + 1) if 0 <= i < 9]
        assert [each.n for each in neighbours(space, config, step=1e-3)] == beside


def test_a_number_goes_a_step_down_and_up_and_not_beyond_its_ends():
    space = Space(x=Float(0.0, 10.0), n=Int(0, 99))
    found = list(neighbours(space, space.config(x=5.0, n=50), step=0.25))
    assert [(c.x, c.n) for c in found] == [(2.5, 50), (7.5, 50), (5.0, 25), (5.0, 75)]
    found = list(neighbours(space, space.config(x=10.0, n=0), step=0.25))
    assert [(c.x, c.n) for c in found] == [(7.5, 0), (10.0, 25)]


def test_what_becomes_active_takes_its_default_and_what_is_inactive_has_no_neighbours():
    space = Space(
        optimizer=Categorical("sgd", "adam"),
        momentum=Float(0.0, 1.0, default=0.9).when(optimizer="sgd"),
        fixed=Constant(3),
    )
    found = list(neighbours(space, space.config(optimizer="adam"), step=0.1))
    assert found == [space.config(optimizer="sgd", momentum=0.9)]


@pytest.mark.parametrize("name", sorted(example_spaces()))
def test_neighbours_are_other_configs_of_the_space_each_once(name):
    space = example_spaces()[name]
    for config in space.sample(np.random.default_rng(1), 20):
        found = list(neighbours(space, config, step=0.125))
        assert len(set(found)) == len(found)
        assert config not in found
        assert all(space.decode(space.encode(other)) == other for other in found)


@pytest.mark.parametrize("name", sorted(set(example_spaces()) - {"single"}))
def test_a_mutation_is_another_config_of_the_space(name):
    space, rng = example_spaces()[name], np.random.default_rng(2)
    for config in space.sample(rng, 50):
        child = mutate(space, config, rng=rng, step=0.1)
        assert child != config
        assert space.decode(space.encode(child)) == child


def test_a_mutation_changes_one_hyperparameter_mostly_and_never_none():
    rng = np.random.default_rng(3)
    config = CELL.default()
    counts = np.bincount(
        [apart(mutate(CELL, config, rng=rng, step=0.1), config) for _ in range(4_000)]
    )
    # One for certain, and each of the three others with probability 1/4.
    expected = [0.0, *(math.comb(3, k) * 0.25**k * 0.75 ** (3 - k) for k in range(4))]
    np.testing.assert_allclose(counts / 4_000, expected, atol=0.04)


def test_every_other_choice_is_as_likely():
    space, rng = Space(op=Categorical(*"abcde")), np.random.default_rng(4)
    config = space.config(op="c")
    found = [mutate(space, config, rng=rng, step=0.1).op for _ in range(4_000)]
    assert set(found) == set("abde")
    assert min(map(found.count, "abde")) > 900


def test_a_number_moves_by_a_normal_distance_folded_back_at_its_ends():
    space, rng = Space(x=Float(0.0, 1.0)), np.random.default_rng(5)
    found = np.array(
        [mutate(space, space.config(x=0.5), rng=rng, step=0.1).x for _ in range(4_000)]
    )
    assert found.mean() == pytest.approx(0.5, abs=0.01)
    assert found.std() == pytest.approx(0.1, abs=0.01)
    edge = np.array([mutate(space, space.config(x=1.0), rng=rng, step=0.1).x for _ in range(4_000)])
    assert (1.0 - edge).mean() == pytest.approx(0.1 * math.sqrt(2 / math.pi), abs=0.01)


def test_a_config_without_a_choice_has_no_neighbours_and_mutates_into_itself():
    space = Space(epochs=Constant(3), only=Categorical("a"), point=Float(1.0, 1.0))
    config = space.default()
    assert list(neighbours(space, config, step=0.25)) == []
    assert mutate(space, config, rng=np.random.default_rng(0), step=0.1) == config
