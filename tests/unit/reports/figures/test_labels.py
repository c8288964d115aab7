import numpy as np
import pytest
from sklearn.metrics import f1_score

from ripieno.errors import ReportError
from ripieno.reports.figures import labels, style


def drawn(columns=4, rows=300):
    rng = np.random.default_rng(0)
    y = (rng.random((rows, columns)) < np.linspace(0.1, 0.6, columns)).astype(int)
    p = np.clip(rng.random((rows, columns)) * 0.8 + 0.3 * y, 0, 1)
    return {"best": p, "ensemble": np.clip(p + 0.1 * (2 * y - 1), 0, 1)}, y


def test_each_label_has_its_f1_the_hardest_on_top():
    models, y = drawn()
    figure = labels(models, y, ("a", "b", "c", "<d>"))
    single, ensemble, shares = figure.data
    expected = f1_score(y, models["ensemble"] > 0.5, average=None)
    order = np.argsort(expected)
    np.testing.assert_allclose(ensemble.x, expected[order])
    names = np.array(["a", "b", "c", "&lt;d&gt;"])[order]
    assert list(ensemble.y) == names.tolist()
    np.testing.assert_allclose(single.x, f1_score(y, models["best"] > 0.5, average=None)[order])
    np.testing.assert_allclose(shares.x, y.mean(axis=0)[order])
    assert ensemble.marker.color == style.ENSEMBLE
    hardest = int(order[0])
    assert figure.layout.title.text.startswith(f"The label {names[0]} is the hardest: F1 ")
    assert f"{y[:, hardest].sum()} of 300 rows have it" in figure.layout.title.text


def test_of_many_labels_the_easiest_are_left_out():
    models, y = drawn(60)
    figure = labels(models, y, tuple(map(str, range(60))))
    assert len(figure.data[0].x) == 40
    assert "The 20 easiest labels are left out" in figure.layout.title.subtitle.text


def test_labels_that_do_not_match_are_refused():
    models, y = drawn()
    with pytest.raises(ReportError, match="beside labels"):
        labels(models, y, ("a",))
