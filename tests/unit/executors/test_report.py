import math

import numpy as np
import pytest

from ripieno.errors import SearchError
from ripieno.executors.report import EndOfOrder, Report
from ripieno.records import Config, Order, OutcomeStatus


def order(start=0, stop=3):
    return Order(0, Config({"x": 1.0}), start, stop)


def make(start=0, stop=3, *, saved=None, stop_asked=lambda: False):
    return Report(order(start, stop), "loss", saved=saved, stop=stop_asked)


def test_the_last_epoch_ends_the_function():
    report = make(stop=2)
    report(epoch=1, loss=0.5)
    with pytest.raises(EndOfOrder):
        report(epoch=2, loss=0.25)
    assert report.status is OutcomeStatus.DONE
    assert report.rows == [{"loss": 0.5}, {"loss": 0.25}]


def test_the_end_of_an_order_passes_an_except_exception():
    assert not issubclass(EndOfOrder, Exception)


def test_rows_of_epochs_that_are_known_are_ignored():
    report = make(start=2, stop=4)
    for epoch in (1, 2, 3):
        report(epoch=epoch, loss=float(epoch))
    assert report.rows == [{"loss": 3.0}]


def test_epochs_that_are_left_out_take_the_next_row():
    report = make(stop=7)
    report(epoch=3, loss=0.3)
    report(epoch=5, loss=0.5)
    assert [row["loss"] for row in report.rows] == [0.3, 0.3, 0.3, 0.5, 0.5]


def test_a_report_beyond_the_order_stands_for_its_last_epoch():
    report = make(stop=4)
    report(epoch=3, loss=0.3)
    with pytest.raises(EndOfOrder):
        report(epoch=6, loss=0.6)
    assert [row["loss"] for row in report.rows] == [0.3, 0.3, 0.3, 0.6]


def test_epochs_count_themselves_where_none_is_given():
    report = make(stop=9)
    report(loss=0.1)
    report(loss=0.2)
    assert [row["loss"] for row in report.rows] == [0.1, 0.2]


def test_epochs_that_count_themselves_go_on_from_the_saved_state():
    report = make(start=2, stop=4, saved=({}, 2))
    report(loss=0.1)
    with pytest.raises(EndOfOrder):
        report(loss=0.2)
    assert [row["loss"] for row in report.rows] == [0.1, 0.2]


@pytest.mark.parametrize("epoch", [1, 2, 0, -1])
def test_epochs_must_ascend(epoch):
    report = make(stop=5)
    report(epoch=2, loss=0.1)
    with pytest.raises(SearchError, match=f"epoch = {epoch} was reported after epoch 2"):
        report(epoch=epoch, loss=0.1)


def test_a_stop_ends_the_function_after_the_row_is_taken():
    report = make(stop=5, stop_asked=lambda: True)
    with pytest.raises(EndOfOrder):
        report(epoch=1, loss=0.1)
    assert report.status is OutcomeStatus.STOPPED
    assert report.rows == [{"loss": 0.1}]


def test_the_last_epoch_is_done_even_when_a_stop_is_asked():
    report = make(stop=1, stop_asked=lambda: True)
    with pytest.raises(EndOfOrder):
        report(epoch=1, loss=0.1)
    assert report.status is OutcomeStatus.DONE


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_objective_that_is_not_finite_diverges(value):
    report = make(stop=5)
    report(epoch=1, loss=0.1)
    with pytest.raises(EndOfOrder):
        report(epoch=2, loss=value)
    assert report.status is OutcomeStatus.DIVERGED
    assert report.error == f"loss was {value} at epoch 2"
    assert len(report.rows) == 2


def test_another_metric_may_be_anything():
    report = make(stop=5)
    report(epoch=1, loss=0.1, ratio=math.nan)
    assert report.status is None


def test_a_report_without_the_objective_is_an_error_that_names_it():
    with pytest.raises(SearchError, match="'loss' was not reported") as caught:
        make()(epoch=1, accuracy=0.5)
    assert "accuracy" in caught.value.where


class Tensor0d:
    """As torch's: a number in an object with axes."""

    ndim = 0

    def __float__(self):
        return 0.5


@pytest.mark.parametrize(
    "value",
    [0.5, np.float32(0.5), np.float16(0.5), np.array(0.5), Tensor0d()],
    ids=["float", "float32", "float16", "array", "tensor"],
)
def test_scalars_of_every_library_become_floats(value):
    report = make()
    report(epoch=1, loss=value)
    assert report.rows == [{"loss": 0.5}]
    assert type(report.rows[0]["loss"]) is float


@pytest.mark.parametrize(
    "value", ["0.5", b"1", None, np.array([0.5]), [0.5], 1j, 10**400], ids=repr
)
def test_what_is_no_number_is_an_error_that_shows_it(value):
    with pytest.raises(SearchError, match=r"'loss' is .* not a number"):
        make()(epoch=1, loss=value)


def test_a_returned_number_stands_for_every_epoch_of_a_silent_function():
    report = make(start=1, stop=4)
    report.finish(0.5)
    assert report.rows == [{"loss": 0.5}] * 3
    assert report.status is OutcomeStatus.DONE


def test_a_returned_dictionary_is_added_to_the_last_row():
    report = make(stop=4)
    report(epoch=2, loss=0.5, seconds=1.0)
    report.finish({"loss": 0.25, "size": 3})
    last = {"loss": 0.25, "seconds": 1.0, "size": 3.0}
    assert report.rows == [{"loss": 0.5, "seconds": 1.0}] * 2 + [last] * 2


def test_the_last_report_stands_for_the_epochs_that_a_function_left_out():
    report = make(stop=4)
    report(epoch=2, loss=0.5)
    report.finish(None)
    assert report.rows == [{"loss": 0.5}] * 4


def test_returning_and_reporting_nothing_is_an_error_that_says_what_to_do():
    with pytest.raises(SearchError, match="returned None and reported nothing") as caught:
        make().finish(None)
    assert "'loss'" in caught.value.fix


def test_a_returned_value_that_is_not_finite_diverges():
    report = make()
    report.finish(math.inf)
    assert report.status is OutcomeStatus.DIVERGED
    assert report.rows == [{"loss": math.inf}]


def test_a_function_starts_anew_where_nothing_was_saved():
    report = make(start=2, stop=4)
    assert report.load() is None
    assert (report.start, report.epochs) == (0, 4)


def test_a_function_goes_on_from_the_epoch_of_what_was_saved():
    report = make(start=3, stop=9, saved=({"w": np.ones(2)}, 2))
    assert report.load()["w"].tolist() == [1.0, 1.0]
    assert (report.start, report.epochs) == (2, 9)


def test_saved_arrays_are_copies():
    report, weights = make(), np.zeros(2)
    report.save(epoch=1, weights=weights, flag=True)
    weights[:] = 7.0
    epoch, arrays = report.kept
    assert epoch == 1
    assert arrays["weights"].tolist() == [0.0, 0.0]
    assert arrays["flag"].dtype == bool


@pytest.mark.parametrize("epoch", [0, 4])
def test_an_epoch_that_was_not_ordered_cannot_be_saved(epoch):
    with pytest.raises(SearchError, match="cannot be saved"):
        make(stop=3).save(epoch=epoch, weights=np.zeros(2))


@pytest.mark.parametrize(
    "value", ["text", object(), 1j, None], ids=["text", "object", "complex", "nothing"]
)
def test_what_is_no_array_of_numbers_cannot_be_saved(value):
    with pytest.raises(SearchError, match="'weights' has dtype"):
        make().save(epoch=1, weights=value)
