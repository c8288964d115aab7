from dataclasses import FrozenInstanceError

import pytest

from ripieno.errors import SearchError
from ripieno.records import Config, Order

CONFIG = Config({"lr": 0.1})


def test_an_order_trains_from_its_start_to_its_stop():
    order = Order(7, CONFIG, 3, 9)
    assert order.epochs == 6
    assert (order.parent, order.state) == (None, None)


@pytest.mark.parametrize(("start", "stop"), [(3, 3), (4, 3), (-1, 3), (0, 0)])
def test_an_order_of_no_epochs_is_refused(start, stop):
    with pytest.raises(SearchError, match=f"from epoch {start} to epoch {stop} trains nothing"):
        Order(0, CONFIG, start, stop)


def test_a_trial_without_a_number_is_refused():
    with pytest.raises(SearchError, match="trial = -1 is no number of a trial"):
        Order(-1, CONFIG, 0, 3)


def test_an_order_is_a_value():
    assert Order(7, CONFIG, 3, 9) == Order(7, Config({"lr": 0.1}), 3, 9)
    assert len({Order(7, CONFIG, 3, 9), Order(7, CONFIG, 3, 9)}) == 1
    with pytest.raises(FrozenInstanceError):
        Order(7, CONFIG, 3, 9).stop = 27
