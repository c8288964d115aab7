import pytest

from ripieno.errors import SearchError, SpaceError
from ripieno.searchers import Grid, Random, Sobol, make_searcher
from ripieno.space import Categorical, Float, Int, Space

SPACE = Space(kernel=Categorical(3, 5, default=5), lr=Float(1e-4, 1.0, log=True, default=0.1))


@pytest.mark.parametrize(("name", "kind"), [("random", Random), ("sobol", Sobol)])
def test_the_default_config_comes_first_and_the_named_searcher_afterwards(name, kind):
    suggestions = make_searcher(name, SPACE, seed=3).suggest(9)
    assert suggestions == [SPACE.default(), *kind(SPACE, 3).suggest(8)]


def test_a_grid_gives_the_default_first_and_every_other_config_once():
    space = Space(kernel=Categorical(3, 5, default=5), depth=Int(1, 3))
    suggestions = make_searcher("grid", space, seed=0).suggest(100)
    assert suggestions[0] == space.default()
    assert suggestions[1:] == [c for c in Grid(space).suggest(100) if c != space.default()]


def test_a_grid_over_a_continuous_space_is_refused_at_once():
    with pytest.raises(SpaceError, match="'lr' is continuous"):
        make_searcher("grid", SPACE, seed=0)


def test_an_unknown_name_is_refused_with_the_known_ones_and_a_close_match():
    with pytest.raises(SearchError) as caught:
        make_searcher("sobel", SPACE, seed=0)
    assert caught.value.problem == "there is no searcher called 'sobel' (did you mean 'sobol'?)."
    assert caught.value.fix == "choose one of grid, random, sobol."


def test_a_name_like_no_other_is_refused_without_a_guess():
    with pytest.raises(SearchError) as caught:
        make_searcher("cmaes", SPACE, seed=0)
    assert caught.value.problem == "there is no searcher called 'cmaes'."
