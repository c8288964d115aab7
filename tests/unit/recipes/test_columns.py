import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ripieno.recipes.columns import MOST_ONE_HOT, CategoricalColumn, NumericColumn


def objects(*values):
    return np.array(values, dtype=object)


def test_numbers_are_filled_and_scaled_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    values = rng.lognormal(size=200)
    values[::7] = np.nan
    column = NumericColumn.fit("a", values, numeric="standardize")
    filled = SimpleImputer(strategy="median").fit_transform(values[:, None])
    scaler = StandardScaler().fit(values[:, None])
    assert np.allclose(column.apply(values), scaler.transform(filled)[:, 0])
    assert column.indicator


def test_a_number_that_is_missing_for_the_first_time_is_the_median():
    column = NumericColumn.fit("a", np.arange(101.0), numeric="quantile")
    assert not column.indicator
    assert column.apply(np.array([np.nan, 50.0])) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_few_different_numbers_are_scaled_and_not_made_normal():
    flags = np.tile([0.0, 1.0, 1.0], 50)
    column = NumericColumn.fit("a", flags, numeric="quantile")
    assert column.quantiles == ()
    assert column.apply(flags).std() == pytest.approx(1.0)


def test_a_column_without_spread_or_values_becomes_zero():
    for values in (np.full(9, 7.0), np.full(9, np.nan)):
        column = NumericColumn.fit("a", values, numeric="quantile")
        assert column.apply(np.array([np.nan, values[0]])).tolist() == [0.0, 0.0]


def test_no_scaled_number_leaves_float32():
    column = NumericColumn.fit("a", np.array([0.0, 1e-30]), numeric="standardize")
    assert np.isfinite(column.apply(np.array([3e38, -3e38])).astype(np.float32)).all()


def test_categories_are_ones_and_zeros_as_scikit_learn_makes_them():
    values = objects(*np.random.default_rng(0).choice(list("dabc"), 300))
    column = CategoricalColumn.fit("a", values)
    reference = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(values[:, None])
    new = objects("a", "unseen", "d")
    assert column.categories == ("a", "b", "c", "d")
    assert np.array_equal(column.apply(new), reference.transform(new[:, None]))
    assert column.apply(objects("unseen", None)).sum() == 0.0


def test_missing_is_a_category_where_the_training_part_had_it():
    column = CategoricalColumn.fit("a", objects("x", None, "y", "x"))
    assert column.features == ("a = x", "a = y", "a is missing")
    assert column.apply(objects(None, "y")).tolist() == [[0, 0, 1], [0, 1, 0]]


def test_rare_categories_are_one_and_unseen_ones_join_them():
    values = objects(*["often"] * 5000, *["other"] * 5000, "once", None)
    column = CategoricalColumn.fit("a", values)
    assert column.features == ("a = often", "a = other", "a is rare")
    assert column.apply(objects("once", "unseen", None, "often")).tolist() == [
        [0, 0, 1], [0, 0, 1], [0, 0, 1], [1, 0, 0],
    ]  # fmt: skip


def test_many_categories_are_numbers_for_an_embedding():
    values = objects(*(f"c{i:03}" for i in range(MOST_ONE_HOT + 1)))
    column = CategoricalColumn.fit("a", values)
    assert column.embedded
    assert column.cardinality == MOST_ONE_HOT + 2
    assert column.codes(objects("c000", "c064", "unseen", None)).tolist() == [1, 65, 0, 0]
    assert not CategoricalColumn.fit("a", values[:-1]).embedded


def test_numbers_whose_squares_are_zero_are_left_as_they_are():
    tiny = np.array([3e-240, 0.0, 0.0, 0.0])
    column = NumericColumn.fit("a", tiny, numeric="standardize")
    assert column.scale == 1.0
    assert np.isfinite(column.apply(tiny)).all()
