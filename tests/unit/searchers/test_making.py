import pytest

from ripieno.errors import SearchError, SpaceError
from ripieno.records import Objective
from ripieno.searchers import (
    Bananas,
    Blocks,
    CmaEs,
    Evolution,
    GaussianProcess,
    Grid,
    LocalSearch,
    Random,
    Reinforce,
    Sobol,
    TreeParzen,
    make_searcher,
)
from ripieno.space import Categorical, Float, Int, Space

LOSS = Objective("loss")
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
    assert caught.value.fix == (
        "choose one of random, grid, sobol, treeparzen, gaussianprocess, cmaes, evolution, "
        "localsearch, reinforce, bananas."
    )


def test_a_name_like_no_other_is_refused_without_a_guess():
    with pytest.raises(SearchError) as caught:
        make_searcher("oracle", SPACE, seed=0)
    assert caught.value.problem == "there is no searcher called 'oracle'."


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("treeparzen", TreeParzen),
        ("gaussianprocess", GaussianProcess),
        ("cmaes", CmaEs),
        ("evolution", Evolution),
        ("localsearch", LocalSearch),
        ("bananas", Bananas),
        ("reinforce", Reinforce),
    ],
)
def test_a_searcher_that_learns_is_made_with_the_objective(name, kind):
    suggestions = make_searcher(name, SPACE, seed=3, objective=LOSS).suggest(9)
    assert suggestions == [SPACE.default(), *kind(SPACE, LOSS, 3).suggest(8)]
    with pytest.raises(SearchError, match="objective = None"):
        make_searcher(name, SPACE, seed=3)


def test_shared_names_make_blocks_of_a_searcher_that_learns():
    made = make_searcher("evolution", SPACE, seed=3, objective=LOSS, shared={"kernel"}, block=4)
    inner = Evolution(SPACE, LOSS, 3)
    expected = Blocks(inner, SPACE, shared={"kernel"}, block=4).suggest(8)
    assert made.suggest(9) == [SPACE.default(), *expected]


def test_a_share_of_random_configs_is_for_the_model():
    made = make_searcher("treeparzen", SPACE, seed=3, objective=LOSS, random_share=1.0)
    expected = TreeParzen(SPACE, LOSS, 3, random_share=1.0)
    assert made.suggest(5)[1:] == expected.suggest(4)
