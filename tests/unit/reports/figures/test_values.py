import numpy as np
import pytest

from ripieno.errors import ReportError
from ripieno.reports.figures import predicted, residuals, style


def drawn(rows=400, columns=1, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(rows, columns)) * 10 + 100
    return {"best": y + rng.normal(size=y.shape) * 2, "ensemble": y + rng.normal(size=y.shape)}, y


def points(figure, name):
    return [t for t in figure.data if t.name == name and t.mode == "markers"]


def test_a_point_is_a_row_and_the_title_says_the_share_that_is_explained():
    models, y = drawn()
    figure = predicted(models, y, ("0",))
    (single,), (ensemble,) = points(figure, "best"), points(figure, "ensemble")
    np.testing.assert_array_equal(single.x, y[:, 0])
    np.testing.assert_array_equal(ensemble.y, models["ensemble"][:, 0])
    assert (single.marker.color, ensemble.marker.color) == (style.SINGLE, style.ENSEMBLE)
    share = 1 - ((y - models["ensemble"]) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert figure.layout.title.text == f"The ensemble explains {share:.1%} of the variance"


def test_many_rows_are_thinned_out_and_the_caption_says_so():
    models, y = drawn(5_000)
    figure = predicted(models, y, ("0",))
    assert len(points(figure, "best")[0].x) == 2_000
    assert "2,000 of 5,000 rows are drawn" in figure.layout.title.subtitle.text


def test_each_column_has_a_panel_of_its_own_up_to_four():
    models, y = drawn(columns=6)
    names = tuple("abcdef")
    figure = predicted(models, y, names)
    assert len(points(figure, "ensemble")) == 4
    assert figure.layout.xaxis3.title.text == "actual c"
    assert "4 of 6 columns are drawn" in figure.layout.title.subtitle.text
    assert len(points(residuals(models, y, names), "ensemble")) == 4


def test_the_errors_are_actual_less_predicted_and_the_band_holds_nine_of_ten():
    models, y = drawn(2_000)
    figure = residuals(models, y, ("0",))
    errors = y - models["ensemble"]
    (dots,) = points(figure, "ensemble")
    np.testing.assert_allclose(dots.y, errors[:, 0])
    low, high, middle = (trace for trace in figure.data if trace.mode == "lines")
    assert np.mean(low.y) == pytest.approx(-1.645, abs=0.2)
    assert np.mean(high.y) == pytest.approx(1.645, abs=0.2)
    assert np.mean(middle.y) == pytest.approx(0.0, abs=0.1)
    ends = [style.number(float(q)) for q in np.quantile(errors, [0.05, 0.95])]
    assert figure.layout.title.text == (
        f"Nine of ten errors of the ensemble lie between {ends[0]} and {ends[1]}"
    )


def test_few_rows_and_a_constant_target_are_drawn():
    y = np.full((3, 1), 2.0)
    assert "explains nothing" in predicted({"m": y + 0.5}, y, ("0",)).layout.title.text
    assert len(residuals({"m": y + 0.5}, y, ("0",)).data) == 4


@pytest.mark.parametrize("figure", [predicted, residuals])
def test_values_that_do_not_match_are_refused(figure):
    models, y = drawn()
    with pytest.raises(ReportError, match="values of the shapes"):
        figure(models, y[:5], ("0",))
