import sys

import numpy as np
import pandas as pd
import pytest

from ripieno.errors import DataError
from ripieno.recipes.frames import read_csv, read_frame, table_of


@pytest.fixture
def written(tmp_path):
    def write(text, name="rows.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("separator", [",", ", ", ";", "\t", "|"])
def test_the_separator_is_that_of_the_header(written, separator):
    text = "age,job,pay\n1,cook,2.5\n2,?,3\n".replace(",", separator)
    table = read_csv(written(text))
    assert list(table.columns) == ["age", "job", "pay"]
    assert table.age.tolist() == [1, 2]
    assert table.job.isna().tolist() == [False, True]


def test_texts_are_kept_as_they_are_written(written):
    path = written("zip,n\n007,1\n010,2\n")
    assert read_csv(path, texts=["zip", "absent"]).zip.tolist() == ["007", "010"]
    assert read_csv(path).zip.tolist() == [7, 10]


@pytest.mark.parametrize(
    "text",
    [
        "1,2.5,3\n4,5,6\n7,8,9\n",
        "39, State-gov, 13\n50, Private, 13\n38, State-gov, 9\n",
        "5.1,setosa\n4.9,setosa\n7.0,virginica\n",
    ],
)
def test_a_first_line_of_values_is_no_header(written, text):
    with pytest.raises(DataError, match="the first line holds values") as caught:
        read_csv(written(text))
    assert "put a line with one name a column above it" in caught.value.fix


@pytest.mark.parametrize(
    "text", ["0,1,2\n5,6,7\n", "0,1,target\n5,6,a\n7,8,b\n", "2019,kind\n1,a\n"]
)
def test_numbers_can_be_names(written, text):
    assert len(read_csv(written(text))) >= 1


def test_rows_longer_than_the_header_are_refused(written):
    with pytest.raises(DataError, match="cannot be read as CSV"):
        read_csv(written("a,b\n1,2,3\n4,5,6\n"))


def test_a_parquet_file_is_the_table_that_was_stored(tmp_path):
    frame = pd.DataFrame(
        {"n": [1, 2], "x": [0.5, None], "s": ["a", None], "c": pd.Categorical(["u", "v"])},
        index=[7, 9],
    )
    frame.to_parquet(tmp_path / "t.parquet")
    read = read_frame(tmp_path / "t.parquet")
    assert read.n.tolist() == [1, 2]
    assert read.x.isna().tolist() == [False, True]
    assert str(read.c.dtype) == "category"
    assert read.index.tolist() == [0, 1]


def test_a_damaged_or_empty_parquet_file_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_frame(path)
    pd.DataFrame({"a": []}).to_parquet(path)
    with pytest.raises(DataError, match="holds no rows"):
        read_frame(path)


def test_parquet_without_pyarrow_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match="pyarrow, which is not installed") as caught:
        read_frame(tmp_path / "t.parquet")
    assert 'pip install "ripieno[parquet]"' in caught.value.fix


def test_a_table_takes_the_kinds_that_it_is_told(tmp_path):
    frame = pd.DataFrame({"b": ["1", "2"], "a": [1, 2], "c": [0, 0]})
    table = table_of(frame, {"a": True, "b": False}, where="here")
    assert table.names == ("a", "b")
    assert table.columns[0].tolist() == ["1", "2"]
    assert np.array_equal(table.columns[1], [1.0, 2.0])
    with pytest.raises(DataError, match="the feature columns 'd', 'e' are missing") as caught:
        table_of(frame, {"d": True, "e": False}, where="here")
    assert caught.value.where == "here: b, a, c"
