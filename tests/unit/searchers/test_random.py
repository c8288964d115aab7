import numpy as np
import pytest

from ripieno.errors import SearchError, SpaceError
from ripieno.searchers import Random
from ripieno.space import Categorical, Float, Int, Space
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


def test_a_block_agrees_in_what_is_shared_and_differs_in_the_rest():
    space = Space(
        width=Int(1, 1000), optimizer=Categorical("sgd", "adam"), lr=Float(0.0, 1.0),
        momentum=Float(0.0, 1.0).when(optimizer="sgd"),
    ).where("width * lr <= 900")  # fmt: skip
    shared = {"width", "optimizer"}
    configs = Random(space, 3, shared=shared, block=4).suggest(40)
    for begin in range(0, 40, 4):
        block = configs[begin : begin + 4]
        assert len({(c.width, c.optimizer) for c in block}) == 1
        assert len({c.lr for c in block}) == 4
    assert len({c.width for c in configs}) == 10
    assert all(space.config(c) == c for c in configs)


def test_blocks_do_not_depend_on_how_they_are_asked_for():
    space = Space(a=Int(1, 50), b=Float(0.0, 1.0))
    whole = Random(space, 1, shared={"a"}, block=3).suggest(10)
    searcher = Random(space, 1, shared={"a"}, block=3)
    assert [searcher.suggest(1)[0] for _ in range(10)] == whole


def test_an_empty_block_is_refused():
    with pytest.raises(SearchError, match="block = 0"):
        Random(Space(a=Int(1, 5)), block=0)
