import numpy as np
import pytest

from ripieno.ensembles import conformal_quantile, fit_intervals, fit_sets
from ripieno.errors import EnsembleError


def test_the_quantile_is_the_nth_plus_one_times_coverage_smallest():
    scores = [0.9, 0.1, 0.5, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6]
    assert conformal_quantile(scores, 0.9) == 0.9  # ceil(10 * 0.9) = 9
    assert conformal_quantile(scores, 0.5) == 0.5


def test_too_few_rows_for_a_coverage_are_refused_with_the_number_needed():
    with pytest.raises(EnsembleError, match="8 rows are too few") as caught:
        conformal_quantile(range(8), 0.9)
    assert "use 9 rows or more" in caught.value.fix
    with pytest.raises(EnsembleError, match=r"coverage = 1.0 is no share"):
        conformal_quantile(range(8), 1.0)


P = np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.1, 0.1, 0.8]])


def test_sets_by_threshold_hold_the_classes_as_likely_as_most_true_ones_were():
    sets = fit_sets(P, [0, 1, 2], coverage=0.75)  # scores 0.3, 0.65, 0.2: the third smallest
    assert sets.quantile == pytest.approx(0.65)
    assert sets.predict(P).astype(int).tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_adaptive_sets_go_down_the_ranks_until_the_sum_is_reached():
    sets = fit_sets(P, [0, 1, 2], coverage=0.75, kind="adaptive")  # 0.7, 0.75, 0.8
    assert sets.quantile == pytest.approx(0.8)
    found = sets.predict([[0.5, 0.3, 0.2], [0.9, 0.06, 0.04]])
    assert found.astype(int).tolist() == [[1, 1, 0], [1, 0, 0]]


def test_regularized_sets_pay_for_ranks_beyond_the_second():
    kind = "regularized"
    sets = fit_sets(P, [2, 2, 2], coverage=0.75, kind=kind)  # 1.05, 1.05, 0.8
    assert sets.quantile == pytest.approx(1.05)


@pytest.mark.parametrize("kind", ["threshold", "adaptive", "regularized"])
def test_new_rows_are_covered_as_often_as_asked(kind):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(5, 0.7), 6000)
    y = (p.cumsum(axis=1) < rng.random((6000, 1))).sum(axis=1)
    inside = fit_sets(p[:2000], y[:2000], coverage=0.8, kind=kind).predict(p[2000:])
    covered = inside[np.arange(4000), y[2000:]].mean()
    assert 0.77 < covered < 0.87


def test_intervals_are_as_wide_as_most_errors():
    y = np.arange(9.0)
    intervals = fit_intervals(y + np.arange(9) / 10, y, coverage=0.8)
    assert intervals.widths == pytest.approx([0.7])
    low, high = intervals.predict([1.0])
    np.testing.assert_allclose([low, high], [[[0.3]], [[1.7]]])


def test_intervals_scale_with_the_spread_of_the_members():
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.1, 3, 4000)
    y = rng.normal(0, spread)
    intervals = fit_intervals(np.zeros(2000), y[:2000], coverage=0.9, spread=spread[:2000])
    assert intervals.widths[0] == pytest.approx(1.645, abs=0.15)
    low, high = intervals.predict(np.zeros(2000), spread=spread[2000:])
    covered = (low[:, 0] <= y[2000:]) & (y[2000:] <= high[:, 0])
    assert 0.87 < covered.mean() < 0.93
    with pytest.raises(EnsembleError, match="do not fit values"):
        intervals.predict(np.zeros(3), spread=[0.0, 1.0, 1.0])


def test_an_unknown_kind_is_refused():
    with pytest.raises(EnsembleError, match="kind = 'narrow' is not known"):
        fit_sets(P, [0, 1, 2], kind="narrow")
