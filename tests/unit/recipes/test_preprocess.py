import json

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from ripieno.errors import DataError
from ripieno.recipes import Preprocess, Table


@pytest.fixture
def table():
    return np.random.default_rng(0).normal(3, [1, 10, 100], size=(200, 3))


def named(table, names):
    return Table(tuple(names), tuple(table.T))


def test_a_table_is_standardised_by_column_as_scikit_learn_does(table):
    train, other = table[:150], table[150:]
    expected = StandardScaler().fit(train).transform(other)
    applied = Preprocess.fit(train).apply(other)
    assert applied.dtype == np.float32
    assert np.allclose(applied, expected, atol=1e-6)


def test_a_large_offset_does_not_cost_the_digits():
    seconds = 1.7e9 + np.arange(1000.0)[:, None]
    applied = Preprocess.fit(seconds).apply(seconds)
    assert len(np.unique(applied)) == 1000
    assert applied.std() == pytest.approx(1.0, rel=1e-5)


def test_a_constant_column_becomes_zero():
    raw = np.stack([np.full(50, 0.1), np.arange(50.0)], axis=1)
    preprocess = Preprocess.fit(raw)
    assert preprocess.scale[0] == 1.0
    assert np.abs(preprocess.apply(raw)[:, 0]).max() < 1e-15


@pytest.mark.parametrize(
    ("shape", "result"),
    [
        ((9, 5, 4), (9, 1, 5, 4)),
        ((9, 5, 4, 3), (9, 3, 5, 4)),
        ((9, 5, 4, 1), (9, 1, 5, 4)),
        ((9, 3, 5, 4), (9, 3, 5, 4)),
        ((9, 7, 5, 6), (9, 7, 5, 6)),
        ((9, 2, 3, 4, 5), (9, 2, 3, 4, 5)),
    ],
)
def test_images_get_their_channels_first(shape, result):
    raw = np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)
    preprocess = Preprocess.fit(raw)
    applied = preprocess.apply(raw)
    assert applied.shape == result
    assert applied.dtype == np.float32
    assert raw.dtype == np.uint8


def test_images_are_standardised_by_channel():
    raw = np.random.default_rng(0).normal([1, 5, 9], [1, 2, 3], size=(5000, 4, 4, 3))
    applied = Preprocess.fit(raw).apply(raw)
    for channel in range(3):
        expected = raw[..., channel]
        expected = (expected - expected.mean()) / expected.std()
        assert np.allclose(applied[:, channel], expected, atol=1e-6)


def test_booleans_are_numbers():
    raw = np.array([[True, False], [False, False], [True, True], [False, True]])
    assert Preprocess.fit(raw).apply(raw).tolist() == [[1, -1], [-1, -1], [1, 1], [-1, 1]]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (np.zeros((4, 2)), r"rows of shape \(2,\) do not fit: the training rows had shape \(3,\)"),
        (np.zeros((0, 3)), "cannot be trained on"),
        (np.full((2, 3), np.nan), "NaN"),
        (np.array([["a", "b", "c"]]), "not numbers"),
    ],
)
def test_rows_that_do_not_fit_are_refused(table, raw, problem):
    with pytest.raises(DataError, match=problem):
        Preprocess.fit(table).apply(raw)


def test_json_keeps_every_number(table):
    preprocess = Preprocess.fit(table, target="y")
    assert Preprocess.from_json(preprocess.to_json()) == preprocess
    images = Preprocess.fit(np.random.default_rng(0).random((5, 3, 3)))
    assert Preprocess.from_json(images.to_json()) == images
    columns = Preprocess.fit(named(table, "abc"), target="y")
    assert columns.table.columns[0].quantiles
    assert Preprocess.from_json(columns.to_json()) == columns


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}', '{"version": 1, "a": 2}'])
def test_other_json_is_refused(text):
    with pytest.raises(DataError, match="no stored preprocessing"):
        Preprocess.from_json(text)


def test_a_new_table_is_read_by_name_in_any_order(tmp_path, table):
    preprocess = Preprocess.fit(named(table, "abc"), target="y")
    path = tmp_path / "new.csv"
    path.write_text("c,y,a,other,b\n3,yes,1,text,2\n30,no,10,,20\n")
    expected = preprocess.apply([[1, 2, 3], [10, 20, 30]])
    assert np.array_equal(preprocess.apply(preprocess.read(path)), expected)
    assert np.array_equal(preprocess.apply(pd.read_csv(path)), expected)
    path.write_text("a,b,c\n1,2,3\n")
    assert np.array_equal(preprocess.apply(preprocess.read(path)), expected[:1])


def test_a_missing_feature_column_is_named(tmp_path, table):
    preprocess = Preprocess.fit(named(table, ["age", "b", "c"]), target="y")
    path = tmp_path / "new.csv"
    path.write_text("b,c,Age\n1,2,3\n")
    with pytest.raises(DataError, match="the feature column 'age' is missing") as caught:
        preprocess.read(path)
    assert "Did you mean 'Age'?" in caught.value.fix


@pytest.mark.parametrize("key", ["x", "X", "x_test"])
def test_new_arrays_are_read_by_key(tmp_path, table, key):
    path = tmp_path / "new.npz"
    np.savez(path, **{key: table, "ids": np.arange(200)})
    assert np.array_equal(Preprocess.fit(table).read(path), table)


def test_a_file_of_the_wrong_kind_is_refused(tmp_path, table):
    np.savez(tmp_path / "new.npz", features=table)
    with pytest.raises(DataError, match="holds no array 'x' or 'X' or 'x_test'"):
        Preprocess.fit(table).read(tmp_path / "new.npz")
    (tmp_path / "new.csv").write_text("a,b,c\n1,2,3\n")
    with pytest.raises(DataError, match="the model was trained on arrays"):
        Preprocess.fit(table).read(tmp_path / "new.csv")
    with pytest.raises(DataError, match="does not exist"):
        Preprocess.fit(table).read(tmp_path / "absent.npz")


def test_an_array_of_numbers_whose_squares_are_zero_is_not_scaled():
    rows = np.array([[0.0, 1.0], [3e-240, 2.0]])
    assert Preprocess.fit(rows).scale == (1.0, 0.5)


def test_a_stored_preprocessing_of_other_types_is_refused():
    tree = json.loads(Preprocess.fit(np.eye(3)).to_json())
    for name, value in (("shape", ["3"]), ("mean", [None]), ("layout", 1), ("columns", "abc")):
        with pytest.raises(DataError, match=f"no stored preprocessing: {name} = "):
            Preprocess.from_json(json.dumps({**tree, name: value}))
    with pytest.raises(DataError, match="no stored preprocessing"):
        Preprocess.from_json("[" * 100_000)
