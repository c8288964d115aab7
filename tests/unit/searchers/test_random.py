import numpy as np
import pytest

from ripieno.errors import SearchError, SpaceError
from ripieno.searchers import Random
from ripieno.space import Float, Int, Space
from ripieno.testing import example_spaces


@pytest.mark.parametrize("name", sorted(example_spaces()))
def test_suggestion_i_is_a_function_of_the_seed_and_i(name):
    space = example_spaces()[name]
    suggestions = Random(space, seed=9).suggest(6)
    for index, suggestion in enumerate(suggestions):
        rng = np.random.default_rng(np.random.SeedSequence(9, spawn_key=(index,)))
        assert space.sample(rng, 1) == [suggestion]


def test_different_seeds_give_different_configs():
    space = Space(lr=Float(1e-4, 1.0, log=True))
    firsts = {Random(space, seed).suggest(1)[0].digest for seed in range(50)}
    assert len(firsts) == 50


def test_large_seeds_do_not_collide_with_small_ones():
    # A seed is cut into words of 32 bits; without padding (5 + 7 * 2**32, 0) would be (5, 7).
    space = Space(lr=Float(0.0, 1.0))
    assert Random(space, 5 + 7 * 2**32).suggest(1)[0] != Random(space, 5).suggest(8)[7]


def test_suggestions_are_uniform_on_the_declared_scale():
    space = Space(lr=Float(1e-4, 1.0, log=True), depth=Int(1, 4))
    configs = Random(space, seed=0).suggest(4_000)
    decades = np.histogram(
        [config["lr"] for config in configs], bins=[1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    )[0]
    depths = np.bincount([config["depth"] for config in configs])[1:]
    # Four standard deviations of a binomial count with n = 4,000 and p = 1/4 are 110.
    assert np.abs(decades - 1_000).max() < 110
    assert np.abs(depths - 1_000).max() < 110


def test_a_space_that_allows_nothing_is_said_to():
    space = Space(a=Int(1, 3)).where("a > 5", "a is large")
    with pytest.raises(SpaceError, match=r"none of 10,000 random configs") as caught:
        Random(space, seed=0).suggest(1)
    assert caught.value.where == "a is large"


@pytest.mark.parametrize("seed", [-1, 0.5, True, None, "0"])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(SearchError, match="not a whole number from 0 up"):
        Random(Space(a=Int(1, 3)), seed)
