"""Rows are validated on where the user says so."""

import numpy as np
import pytest

import ripieno as rp
from ripieno.recipes import from_splits

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 0, 1, 0, 1])


def rows(*numbers):
    return np.array(numbers)


def test_one_split_is_a_training_and_a_validation_part():
    data = from_splits(X, Y, [(rows(0, 1, 2, 3), rows(5, 4))])
    assert data.folds is None
    assert data.test is None
    assert data.validation.y.tolist() == [1, 0]
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0.0, atol=1e-6)


def test_splits_that_overlap_are_validated_one_after_the_other():
    data = from_splits(X, Y, [(rows(0, 1, 2), rows(3, 4)), (rows(0, 1, 4, 5), rows(3, 2))])
    assert [len(part.train) for part in data.parts] == [3, 4]
    assert data.targets.tolist() == [1, 0, 1, 0]
    answers = [np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]])]
    assert data.folds.out_of_fold(answers).ravel().tolist() == [1.0, 2.0, 3.0, 4.0]


def test_scaling_is_learned_from_the_training_rows_of_each_split():
    data = from_splits(X, Y, [(rows(0, 1), rows(2, 3)), (rows(4, 5), rows(2, 3))])
    first, second = data.parts
    assert not np.allclose(first.validation.x, second.validation.x)


def test_other_rows_are_other_data():
    splits = [(rows(0, 1), rows(2, 3)), (rows(2, 3), rows(0, 1))]
    swapped = [(rows(0, 1), rows(3, 2)), (rows(2, 3), rows(0, 1))]
    prints = {from_splits(X, Y, each).fingerprint for each in (splits, swapped, splits[:1])}
    assert len(prints) == 3
    assert from_splits(X, Y, splits).fingerprint in prints


def test_the_features_of_a_table_are_those_of_all_rows():
    gaps = X.copy()
    gaps[5, 0] = np.nan
    data = from_splits(gaps, Y, [(rows(0, 1, 2), rows(3, 4)), (rows(3, 4, 5), rows(0, 1))])
    assert data.parts[0].shape == data.parts[1].shape


@pytest.mark.parametrize(
    ("splits", "problem"),
    [
        ([], "there is no split"),
        ([(rows(0, 1), rows())], "split 1 has 2 training and 0 validation"),
    ],
)
def test_splits_without_rows_are_refused(splits, problem):
    with pytest.raises(rp.RipienoError, match=problem):
        from_splits(X, Y, splits)
