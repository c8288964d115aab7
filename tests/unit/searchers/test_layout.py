import numpy as np
import pytest

from ripieno.searchers.layout import Layout
from ripieno.space import Categorical, Float, Int, Space

SPACE = Space(
    lr=Float(1e-4, 1.0, log=True),
    wide=Int(1, 33),
    depth=Int(2, 8, step=3),
    filters=Int(1, 32, log=True),
    drop=Float(0.0, 0.5, step=0.1),
    op=Categorical("a", "b"),
    point=Float(2.0, 2.0),
)


def test_reals_and_numbers_of_many_values_are_apart_from_those_of_few():
    layout = Layout(SPACE)
    assert layout.real.tolist() == [0, 1]
    assert list(layout.values) == [2, 3, 4, 5, 6]
    assert [len(values.middles) for values in layout.values.values()] == [3, 32, 6, 2, 1]
    assert [values.ordered for values in layout.values.values()] == [True, True, True, False, True]
    assert layout.features == 3 * 2 + 3 + 32 + 6 + 2 + 1


@pytest.mark.parametrize("name", ["depth", "filters", "drop", "op", "point"])
def test_a_value_is_where_the_domain_decodes_it(name):
    values = Layout(SPACE).values[SPACE.searched.index(name)]
    domain = SPACE[name]
    for unit in np.random.default_rng(0).random(200):
        assert domain.nth(int(values.index(unit))) == domain.decode(unit)
    for index, middle in enumerate(values.middles):
        assert domain.decode(middle) == domain.nth(index)
        assert values.index(domain.encode(domain.nth(index))) == index
    assert values.masses.sum() == pytest.approx(1.0)


def test_features_are_powers_of_reals_and_indicators_of_values_where_active():
    space = Space(x=Float(0.0, 1.0), op=Categorical("a", "b", "c"))
    units = np.array([[0.3, 0.5], [0.8, 0.9]])
    active = np.array([[True, True], [False, True]])
    expected = [[0.09, 0.3, 1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]]
    np.testing.assert_allclose(Layout(space).describe(units, active), expected, atol=1e-15)
