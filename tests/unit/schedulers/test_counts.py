import pytest

from ripieno.errors import SearchError
from ripieno.schedulers.counts import check_count


def test_a_count_is_returned_as_it_is():
    assert check_count("epochs", 27, where="FullBudget") == 27


@pytest.mark.parametrize("value", [0, -1, 2.0, True, None, "3"])
def test_what_is_no_count_is_refused(value):
    with pytest.raises(SearchError) as caught:
        check_count("epochs", value, where="FullBudget")
    assert caught.value.problem == f"epochs = {value!r} is not a whole number from 1 up."
    assert caught.value.fix == "give epochs a whole number, 1 or more."
