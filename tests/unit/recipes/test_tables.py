import numpy as np
import pandas as pd
import pytest
import torch

from ripieno.errors import DataError
from ripieno.recipes import Table
from ripieno.recipes.tables import as_array, category_texts, check_transform


def test_rows_are_chosen_from_every_column():
    table = Table(("a", "b"), (np.arange(4.0), np.array(["x", None, "y", "z"], dtype=object)))
    some = table[np.array([2, 0])]
    assert len(some) == 2
    assert [column.tolist() for column in some.columns] == [[2.0, 0.0], ["y", "x"]]
    assert table.categorical == (False, True)
    assert len(table[1:]) == 3


@pytest.mark.parametrize(
    "values",
    [
        np.array([3, 1, 3]),
        np.array([3.0, 1.0, 3.0]),
        np.array(["3", "1", "3"]),
        np.array(["3.0", " 1", "3.00"], dtype=object),
        np.array([3, 1.0, "3"], dtype=object),
        np.array([3.0, 1.0, 3.0], dtype=np.float32),
    ],
)
def test_a_whole_number_has_one_spelling(values):
    assert category_texts(values).tolist() == ["3", "1", "3"]


def test_what_is_missing_is_none_whatever_it_was():
    values = np.array([None, np.nan, pd.NA, pd.NaT, "", "  ", "x"], dtype=object)
    assert category_texts(values).tolist() == [None] * 6 + ["x"]
    assert category_texts(np.array([np.nan, 2.5])).tolist() == [None, "2.5"]


def test_other_texts_stay_as_they_are():
    values = ["007", "1.20", "v1.0", "-", "1.", "True", ".0", "½.0"]
    assert category_texts(np.array(values, dtype=object)).tolist() == values
    assert category_texts(np.array([True, 1, 1.0], dtype=object)).tolist() == ["True", "1", "1"]


def test_tensors_of_any_type_become_arrays():
    assert as_array(torch.ones(2, requires_grad=True)).tolist() == [1.0, 1.0]
    assert as_array(torch.ones(2, dtype=torch.bfloat16)).dtype == np.float32
    assert as_array(torch.arange(3)).dtype == np.int64
    assert as_array(pd.Series(["a", None])).tolist() == ["a", None]


def test_an_unknown_transform_is_refused():
    with pytest.raises(DataError, match="cannot be scaled by 'robust'"):
        check_transform("robust")
