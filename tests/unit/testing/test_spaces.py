import math

import pytest

from ripieno.space import Categorical, Constant, Float, Int
from ripieno.testing import example_spaces, finite_spaces


def test_there_is_a_space_of_every_kind():
    spaces = example_spaces()
    kinds = {type(domain) for space in spaces.values() for domain in space.values()}
    assert kinds == {Float, Int, Categorical, Constant}
    assert any(space.constraints for space in spaces.values())
    assert any(domain.conditions for space in spaces.values() for domain in space.values())
    assert any(math.isinf(space.size) for space in spaces.values())


@pytest.mark.parametrize("name", sorted(finite_spaces()))
def test_finite_spaces_are_small_enough_to_walk_through(name):
    assert 1 <= len(list(finite_spaces()[name].grid())) <= 200
    assert finite_spaces()[name] == example_spaces()[name]
