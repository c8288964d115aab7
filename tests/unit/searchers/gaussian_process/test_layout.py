import numpy as np
import pytest

from ripieno.searchers.gaussian_process.layout import Layout
from ripieno.space import Categorical, Float, Int, Space
from ripieno.testing import example_spaces


@pytest.mark.parametrize("name", sorted(example_spaces()))
def test_settled_points_are_configs_of_the_space(name):
    space = example_spaces()[name]
    points = np.random.default_rng(0).random((200, space.dims))
    settled = Layout(space).settle(points)
    assert settled.shape[1] == space.dims
    for unit in settled:
        config = space.decode(unit)
        assert space.allows(config)
        assert np.abs(space.encode(config) - unit).max(initial=0.0) < 1e-11


def test_what_is_inactive_is_one_point():
    space = Space(optimizer=Categorical("sgd", "adam"), momentum=Float(0, 1).when(optimizer="sgd"))
    layout = Layout(space)
    units = layout.settle(np.array([[0.75, 0.1], [0.75, 0.9], [0.25, 0.9]]))
    assert units.tolist() == [[0.75, 0.5], [0.75, 0.5], [0.25, 0.9]]
    assert layout.active(units[0]).tolist() == [True, False]


def test_one_step_from_a_config_are_all_choices_and_the_next_numbers():
    space = Space(kernel=Categorical(3, 5, 7), depth=Int(1, 8), rate=Float(0.0, 1.0))
    layout = Layout(space)
    unit = space.encode(space.config(kernel=5, depth=2, rate=0.3))
    configs = [space.decode(point) for point in layout.beside(unit)]
    assert [(c.kernel, c.depth, c.rate) for c in configs] == [
        (3, 2, 0.3), (7, 2, 0.3), (5, 1, 0.3), (5, 3, 0.3), (5, 4, 0.3),
    ]  # fmt: skip


def test_gradients_move_what_has_many_values_and_an_order():
    space = Space(a=Float(0, 1), b=Int(1, 1000, log=True), c=Int(1, 4), d=Categorical(*range(20)))
    layout = Layout(space)
    assert layout.smooth.tolist() == [True, True, False, False]
    assert layout.categorical.tolist() == [False, False, False, True]
