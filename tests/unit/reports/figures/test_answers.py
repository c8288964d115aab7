import numpy as np
import pytest
from scipy import stats

from ripieno.ensembles import confusion_matrix, expected_calibration_error, reliability_curve
from ripieno.errors import EnsembleError
from ripieno.reports.figures import confusion, reliability, style


def drawn(rows=200, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=rows)
    p = rng.dirichlet(np.ones(classes), rows) + 0.7 * np.eye(classes)[y]
    return p / p.sum(axis=1, keepdims=True), y


def test_curves_and_counts_are_those_of_the_metrics():
    p, y = drawn()
    figure = reliability({"one": p, "two": p**2 / (p**2).sum(axis=1, keepdims=True)}, y, bins=10)
    curve = reliability_curve(p, y, bins=10)
    _, points, bars = figure.data[:3]
    np.testing.assert_allclose(points.x, curve.confidence)
    np.testing.assert_allclose(points.y, curve.accuracy)
    np.testing.assert_array_equal(bars.y, curve.counts)
    hits = np.round(curve.accuracy * curve.counts)
    spread = stats.beta(hits + 1, curve.counts - hits + 1).std()
    np.testing.assert_allclose(points.error_y.array, np.minimum(spread, 1 - curve.accuracy))
    np.testing.assert_allclose(points.error_y.arrayminus, np.minimum(spread, curve.accuracy))
    assert points.name == f"one, calibration error {expected_calibration_error(p, y, bins=10):.3f}"


def test_one_model_has_the_color_of_the_single_one_and_of_two_the_last_that_of_the_ensemble():
    p, y = drawn()
    assert reliability({"a": p}, y).data[1].line.color == style.SINGLE
    two = reliability({"a": p, "b": p}, y)
    assert [two.data[i].line.color for i in (1, 3)] == [style.SINGLE, style.ENSEMBLE]
    three = reliability({"a": p, "b": p, "c": p}, y)
    assert [three.data[i].line.color for i in (1, 3, 5)] == [
        style.MEMBER, style.SINGLE, style.ENSEMBLE,
    ]  # fmt: skip


def test_bars_of_two_models_stand_side_by_side_in_the_middle_of_a_bin():
    figure = reliability({"a": drawn()[0], "b": drawn()[0]}, drawn()[1], bins=10)
    left, right = figure.data[2], figure.data[4]
    np.testing.assert_allclose(np.asarray(left.x) * 10 % 1, 0.5)
    assert left.offset + left.width == pytest.approx(right.offset)
    assert right.offset == pytest.approx(0.0)


def test_the_title_says_the_error_of_the_last_model():
    p = np.array([[0.8, 0.2]] * 4)
    title = reliability({"ensemble": p}, np.array([0, 0, 1, 1])).layout.title.text
    assert title == "Confidence and accuracy of the ensemble differ by 30.0% on average"


def test_cells_are_the_counts_and_the_title_names_the_worst_confusion():
    p, y = drawn()
    y = y.copy()
    figure = confusion(p, y, ("ant", "bee", "cow"))
    (cells,) = figure.data
    counts = confusion_matrix(p, y)
    np.testing.assert_array_equal(cells.customdata[..., 0], counts)
    np.testing.assert_allclose(np.asarray(cells.z) ** 2, counts / counts.sum(axis=1, keepdims=True))
    wrong = counts - np.diag(np.diag(counts))
    true, answer = np.unravel_index(wrong.argmax(), wrong.shape)
    names = ("ant", "bee", "cow")
    assert figure.layout.title.text == (
        f"Most often {names[true]} is taken for {names[answer]}: "
        f"{wrong[true, answer]} of {counts[true].sum()} rows"
    )


def test_a_faultless_model_and_a_class_without_rows_are_drawn():
    figure = confusion(np.eye(3)[[0, 1, 1]], np.array([0, 1, 1]), ("a", "b", "c"))
    assert figure.layout.title.text == "Every row is right"
    assert np.asarray(figure.data[0].z)[2].tolist() == [0, 0, 0]


def test_class_names_show_tags_as_text():
    figure = confusion(np.eye(2), np.array([1, 0]), ("<b>", "&"))
    assert figure.data[0].x == ("&lt;b&gt;", "&amp;")
    assert "&lt;b&gt;" in figure.layout.title.text


def test_many_classes_are_drawn_without_numbers_in_the_cells():
    p, y = drawn(300, 40)
    figure = confusion(p, y, tuple(map(str, range(40))))
    assert figure.data[0].texttemplate is None
    assert figure.layout.height == 700


def test_answers_that_do_not_match_are_refused():
    p, y = drawn()
    with pytest.raises(EnsembleError):
        reliability({"a": p}, y[:5])
    with pytest.raises(EnsembleError):
        confusion(p[:5], y, ("a", "b", "c"))
