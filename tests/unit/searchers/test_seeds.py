import pytest

from ripieno.errors import SearchError
from ripieno.searchers.seeds import check_seed


@pytest.mark.parametrize("seed", [0, 1, 2**70])
def test_a_seed_is_returned_as_it_is(seed):
    assert check_seed(seed, where="Random") == seed


def test_a_refusal_names_the_value_and_the_place():
    with pytest.raises(SearchError) as caught:
        check_seed(-3, where="Sobol")
    assert caught.value.problem == "seed = -3 is not a whole number from 0 up."
    assert caught.value.where == "Sobol(space, seed=-3)"
