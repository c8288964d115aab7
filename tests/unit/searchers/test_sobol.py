import numpy as np
import pytest
from scipy.stats import qmc

from ripieno.errors import SearchError, SpaceError
from ripieno.searchers import Sobol
from ripieno.space import Categorical, Constant, Float, Int, Space

CUBE = Space(x=Float(0.0, 1.0), y=Float(0.0, 1.0), z=Float(0.0, 1.0))


def test_points_are_those_of_scipy_also_beyond_the_first_block():
    configs = Sobol(CUBE, seed=4).suggest(200)
    engine = qmc.Sobol(d=3, scramble=True, rng=np.random.default_rng(4))
    points = np.array([list(config.values()) for config in configs])
    assert np.abs(points - engine.random(256)[:200]).max() < 1e-11


@pytest.mark.parametrize("power", [3, 6, 8])
def test_a_power_of_two_of_points_has_one_in_each_slice_of_each_axis(power):
    count = 2**power
    points = np.array([list(config.values()) for config in Sobol(CUBE, seed=1).suggest(count)])
    for axis in points.T:
        assert sorted((axis * count).astype(int)) == list(range(count))


def test_each_choice_comes_equally_often_in_a_balanced_block():
    space = Space(kernel=Categorical(3, 5, 7, 9), depth=Int(1, 8))
    configs = Sobol(space, seed=2).suggest(64)
    assert np.bincount([config["kernel"] for config in configs])[[3, 5, 7, 9]].tolist() == [16] * 4
    assert np.bincount([config["depth"] for config in configs])[1:].tolist() == [8] * 8


def test_points_that_break_a_constraint_are_skipped_and_the_rest_kept_in_sequence():
    free = Sobol(CUBE, seed=3).suggest(128)
    bound = Sobol(CUBE.where("x + y <= 1"), seed=3).suggest(30)
    assert bound == [config for config in free if config["x"] + config["y"] <= 1][:30]


def test_a_space_that_allows_nothing_is_said_to():
    space = CUBE.where("x > 2", "x is large")
    with pytest.raises(SpaceError, match=r"none of 10,000 points") as caught:
        Sobol(space, seed=0).suggest(1)
    assert caught.value.where == "x is large"


def test_a_space_without_choices_gives_its_one_config():
    configs = Sobol(Space(epochs=Constant(3)), seed=0).suggest(3)
    assert [dict(config) for config in configs] == [{"epochs": 3}] * 3


def test_more_dimensions_than_the_sequence_has_are_refused():
    space = Space(**{f"x{index}": Int(1, 2) for index in range(21_202)})
    with pytest.raises(SpaceError, match=r"21,202 dimensions"):
        Sobol(space)


def test_a_seed_that_is_none_is_refused():
    with pytest.raises(SearchError, match="seed = -1"):
        Sobol(CUBE, -1)
