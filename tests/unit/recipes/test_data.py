import numpy as np
import pandas as pd
import pytest
import torch

from ripieno.errors import DataError
from ripieno.recipes import Data, Split


def arrays(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(5, 2, size=(rows, 4)), rng.integers(3, size=rows)


def test_the_parts_are_disjoint_and_standardised_by_the_training_part():
    x, y = arrays()
    data = Data.from_arrays(x, y)
    assert len(data.train) + len(data.validation) + len(data.test) == 200
    assert np.allclose(data.train.x.mean(0), 0, atol=1e-6)
    assert np.allclose(data.train.x.std(0), 1, atol=1e-6)
    restored = [
        part.x * data.preprocess.scale + data.preprocess.mean
        for part in (data.train, data.validation, data.test)
    ]
    assert np.allclose(np.sort(np.concatenate(restored), 0), np.sort(x, 0), atol=1e-4)


def test_the_types_are_those_of_the_trainer():
    x, y = arrays()
    data = Data.from_arrays(x.astype(np.int16), y.astype(np.uint8))
    assert data.train.x.dtype == np.float32
    assert data.train.y.dtype == np.int64
    assert data.shape == (4,)
    assert data.classes == (0, 1, 2)


def test_a_given_test_part_is_kept_whole_and_in_order():
    x, y = arrays()
    data = Data.from_arrays(x, y, x_test=x[:30], y_test=y[:30], test_share=0.3)
    assert np.array_equal(data.test.y, y[:30])
    assert np.array_equal(data.test.x, data.preprocess.apply(x[:30]))
    assert len(data.train) + len(data.validation) == 200


def test_without_a_test_share_there_is_no_test_part():
    assert Data.from_arrays(*arrays(), test_share=0).test is None


def test_the_shares_are_shares_of_all_rows():
    data = Data.from_arrays(*arrays(1000), validation_share=0.3, test_share=0.1)
    assert abs(len(data.validation) - 300) <= 3
    assert abs(len(data.test) - 100) <= 3


def test_the_fingerprint_tells_splits_apart_and_depends_on_nothing_else():
    x, y = arrays()
    data = Data.from_arrays(x, y)
    assert Data.from_arrays(x * 2, y, name="other").fingerprint == data.fingerprint
    assert Data.from_arrays(x, y, seed=1).fingerprint != data.fingerprint
    assert Data.from_arrays(x, 2 - y).fingerprint != data.fingerprint
    assert Data.from_arrays(x, y, validation_share=0.25).fingerprint != data.fingerprint


def test_the_split_is_the_same_for_the_same_seed():
    x, y = arrays()
    first, second = Data.from_arrays(x, y, seed=3), Data.from_arrays(x, y, seed=3)
    assert np.array_equal(first.train.x, second.train.x)
    assert np.array_equal(first.validation.y, second.validation.y)


def test_strings_are_classes():
    x, y = arrays()
    data = Data.from_arrays(x, np.array(["cat", "dog", "owl"])[y])
    assert data.classes == ("cat", "dog", "owl")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda x, y: (x, y[:-1]), "200 rows of features and 199 targets"),
        (lambda x, y: (x[:, 0], y), r"features of shape \(200,\)"),
        (lambda x, y: (x[:0], y[:0]), "cannot be trained on"),
        (lambda x, y: (x.astype(str), y), "not numbers"),
        (lambda x, y: (np.where(x > 9, -np.inf, x), y), "infinite or too large in column"),
        (lambda x, y: (np.where(x > 9, np.inf, x), y), "infinite"),
        (lambda x, y: (np.where(x > 9, 1e39, x), y), "too large"),
        (lambda x, y: (x, np.eye(3)[y]), "exactly one 1 in each row"),
        (lambda x, y: (x, y * 0), "every row is of the class 0"),
        (lambda x, y: (x, np.arange(200)), "looks like a measurement"),
        (lambda x, y: (x, np.where(np.arange(200) == 7, 9, y)), "the class 9 has 1 row"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_refused(change, problem):
    with pytest.raises(DataError, match=problem):
        Data.from_arrays(*change(*arrays()))


def test_infinite_features_are_counted_and_the_first_row_is_named():
    x, y = arrays()
    x[[17, 40], 2] = np.inf
    with pytest.raises(DataError, match=r"2 feature values .* in column 2, first in row 18"):
        Data.from_arrays(x, y)


def test_nan_is_a_missing_value_in_a_table_and_refused_in_images():
    x, y = arrays()
    x[::3, 2] = np.nan
    data = Data.from_arrays(x, y)
    assert data.preprocess.features[-1] == "column 2 is missing"
    assert set(np.unique(data.train.x[:, 4])) == {0.0, 1.0}
    with pytest.raises(DataError, match="NaN"):
        Data.from_arrays(x.reshape(200, 2, 2), y)


def test_a_column_of_codes_can_be_said_to_hold_categories():
    x, y = arrays()
    x[:, 1] = np.arange(200) % 3
    by_number = Data.from_arrays(x, y, categorical=[1])
    by_flag = Data.from_arrays(x, y, categorical=[False, True, False, False])
    assert by_number.preprocess == by_flag.preprocess
    assert by_number.preprocess.features[3:] == ("column 1 = 0", "column 1 = 1", "column 1 = 2")
    for wrong in ([4], [True, False], ["colour"], [-1]):
        with pytest.raises(DataError, match="does not name columns"):
            Data.from_arrays(x, y, categorical=wrong)


def test_tensors_frames_and_series_are_taken_as_arrays_are():
    x, y = arrays()
    expected = Data.from_arrays(x, y)
    frame = pd.DataFrame(x, columns=list("abcd"))
    for given in ((torch.tensor(x), torch.tensor(y)), (x.tolist(), y.tolist())):
        assert np.array_equal(Data.from_arrays(*given).train.x, expected.train.x)
    for targets in (pd.Series(y), pd.Series(y, dtype="Int64"), pd.Series(y).astype("category")):
        made = Data.from_arrays(frame, targets)
        assert np.allclose(made.train.x, expected.train.x, atol=1e-6)
        assert made.classes == expected.classes


def test_a_given_validation_part_is_kept_whole_and_in_order():
    x, y = arrays()
    data = Data.from_arrays(x, y, x_validation=x[:30], y_validation=y[:30], test_share=0.25)
    assert np.array_equal(data.validation.x, data.preprocess.apply(x[:30]))
    assert np.array_equal(data.validation.y, y[:30])
    assert (len(data.train), len(data.test)) == (150, 50)
    whole = Data.from_arrays(x, y, x_validation=x[:30], y_validation=y[:30], test_share=0)
    assert len(whole.train) == 200
    assert whole.test is None


def test_groups_and_times_split_arrays():
    x, y = arrays()
    groups = np.arange(200) // 10
    data = Data.from_arrays(np.c_[x, groups], y, groups=groups)
    parts = [part.x[:, 4] for part in (data.train, data.validation, data.test)]
    assert sum(len(set(part)) for part in parts) == 20
    later = Data.from_arrays(x, y, time=np.arange(200)[::-1])
    assert np.array_equal(later.test.x, later.preprocess.apply(x[:40]))
    with pytest.raises(DataError, match="both given"):
        Data.from_arrays(x, y, groups=groups, time=groups)


def test_half_a_test_part_is_refused():
    x, y = arrays()
    with pytest.raises(DataError, match="y_test is missing"):
        Data.from_arrays(x, y, x_test=x)


def test_a_test_part_of_another_shape_or_with_other_classes_is_refused():
    x, y = arrays()
    with pytest.raises(DataError, match="do not fit"):
        Data.from_arrays(x, y, x_test=x[:, :2], y_test=y)
    with pytest.raises(DataError, match="the label 3 is none of the 3 training classes"):
        Data.from_arrays(x, y, x_test=x, y_test=y + 1)


def test_no_validation_part_is_refused():
    with pytest.raises(DataError, match="no validation part"):
        Data.from_arrays(*arrays(), validation_share=0.0)


def test_a_split_holds_as_many_targets_as_rows():
    x, y = np.zeros((3, 2), np.float32), np.zeros(3, np.int64)
    assert len(Split(x, y)) == 3
    with pytest.raises(DataError, match="x has 3 rows, and y has 2"):
        Split(x, y[:2])
    with pytest.raises(DataError, match="not float32 and int64"):
        Split(x.astype(np.float64), y)


def test_the_given_arrays_are_left_unchanged():
    x, y = arrays()
    before = x.copy()
    Data.from_arrays(x, y)
    assert np.array_equal(x, before)
