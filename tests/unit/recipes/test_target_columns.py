import numpy as np
import pandas as pd
import pytest

import ripieno as rp
from ripieno.errors import DataError
from ripieno.recipes.target_columns import find_targets, read_target_columns

NAMES = ["age", "art", "sport", "a,b"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("art", ("art",)),
        ("art,sport", ("art", "sport")),
        (["art, sport"], ("art", "sport")),
        (("sport", "art"), ("sport", "art")),
        ("a,b", ("a,b",)),
        (["a,b", "art"], ("a,b", "art")),
    ],
)
def test_one_name_or_several_are_found(said, found):
    assert find_targets(said, NAMES, where="t") == found


def test_the_usual_name_is_taken_where_nothing_is_said():
    assert find_targets(None, ["x", "Label"], where="t") == ("Label",)
    with pytest.raises(DataError, match="no column looks like a target"):
        find_targets(None, NAMES, where="t")


def test_what_is_no_column_or_named_twice_is_refused():
    with pytest.raises(DataError, match="there is no column 'spot'") as found:
        find_targets("art,spot", NAMES, where="t")
    assert "'sport'" in found.value.fix
    with pytest.raises(DataError, match="'art' is named 2 times"):
        find_targets("art,art", NAMES, where="t")


def test_several_targets_are_numbers_of_one_array():
    frame = pd.DataFrame({"art": [1, 0], "sport": [True, False], "word": ["yes", "no"]})
    y = read_target_columns(frame, ("art", "sport"), where="t")
    np.testing.assert_array_equal(y, [[1, 1], [0, 0]])
    with pytest.raises(DataError, match="'word' holds 'yes', and several targets are numbers"):
        read_target_columns(frame, ("art", "word"), where="t")
    frame["gap"] = [1.0, None]
    with pytest.raises(DataError, match="missing in 1 of 2 rows, first in row 2") as found:
        read_target_columns(frame, ("art", "gap"), where="t")
    assert found.value.where == "t, column 'gap'"


def test_columns_of_a_table_are_labels_with_their_names_or_several_values():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    frame["art"], frame["news"] = (frame.a > 0).astype(int), (frame.b > 0).astype(int)
    labels = rp.Data.from_frame(frame, target=["art", "news"])
    assert (labels.task, labels.classes) == ("multilabel", ("art", "news"))
    assert labels.preprocess.columns == ("a", "b")
    values = rp.Data.from_frame(frame, target="a,b")
    assert (values.task, values.classes, values.train.y.shape[1]) == ("regression", ("a", "b"), 2)
