import math

import pytest

from ripieno.diagnostics import RangeTest
from ripieno.errors import ReportError
from ripieno.reports import write_range_test
from ripieno.reports.figures import learning_rate_range

TESTED = RangeTest((1e-3, 1e-2, 1e-1), (2.0, 1.0, 3.0), (2.0, 1.5, 2.5), 1e-2, 1e-2)


def test_the_title_names_the_suggestion_and_lines_mark_it_and_the_present_rate():
    figure = learning_rate_range(TESTED, current=0.1)
    assert "learning rate of 0.01" in figure.layout.title.text
    assert [list(trace.y) for trace in figure.data] == [[2.0, 1.0, 3.0], [2.0, 1.5, 2.5]]
    assert [shape.x0 for shape in figure.layout.shapes] == [1e-2, 0.1]
    assert [a.text for a in figure.layout.annotations] == ["suggestion 0.01", "now 0.1"]


def test_without_a_suggestion_the_title_says_that_no_rate_lowers_the_loss():
    flat = RangeTest((1e-3, 1e-2), (2.0, 2.0), (2.0, 2.0), None, 1e-3)
    figure = learning_rate_range(flat)
    assert figure.layout.title.text == "No learning rate lowers the loss"
    assert figure.layout.shapes == ()


def test_a_loss_that_is_no_number_is_not_drawn():
    with pytest.raises(ReportError, match="no finite loss"):
        learning_rate_range(RangeTest((1e-6,), (math.inf,), (math.inf,), None, 1e-6))


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        write_range_test(TESTED, tmp_path / "file" / "lr.html")
