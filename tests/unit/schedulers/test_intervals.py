import pytest

from ripieno.errors import SearchError
from ripieno.schedulers.intervals import check_interval


@pytest.mark.parametrize(
    ("given", "epochs", "parts", "expected"),
    [(None, 27, 9, 3), (None, 81, 27, 3), (None, 5, 9, 1), (4, 5, 9, 4), (5, 5, 9, 5)],
)
def test_the_interval_is_that_given_or_a_part_of_the_epochs(given, epochs, parts, expected):
    assert check_interval(given, epochs=epochs, where="here", parts=parts) == expected


def test_an_interval_beyond_the_epochs_is_refused_with_the_most_it_may_be():
    with pytest.raises(SearchError, match="above epochs = 5") as caught:
        check_interval(6, epochs=5, where="here")
    assert caught.value.fix.startswith("lower interval to at most 5")
