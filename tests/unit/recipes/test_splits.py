import numpy as np
import pytest

from ripieno.errors import DataError
from ripieno.recipes.splits import as_labels, class_names, encode_labels, stratified_split

NAMES = ("a", "b", "c")


def split(y, shares=(0.2, 0.2), seed=0):
    return stratified_split(np.asarray(y), shares, seed=seed, names=NAMES, where="test")


def test_every_row_is_in_one_part_and_every_class_in_each_in_proportion():
    y = np.repeat([0, 1, 2], [500, 100, 10])
    parts = split(np.random.default_rng(0).permutation(y))
    assert sorted(np.concatenate(parts).tolist()) == list(range(610))
    shuffled = np.random.default_rng(0).permutation(y)
    counts = [np.bincount(shuffled[part]).tolist() for part in parts]
    assert counts == [[300, 60, 6], [100, 20, 2], [100, 20, 2]]


def test_a_class_of_three_rows_has_one_in_each_part():
    parts = split(np.repeat([0, 1, 2], [50, 50, 3]))
    assert [int((part >= 100).sum()) for part in parts] == [1, 1, 1]


def test_the_split_depends_on_the_seed_and_the_labels_alone():
    y = np.repeat([0, 1, 2], 40)
    same, other = split(y), split(y, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(split(y), same, strict=True))
    assert not np.array_equal(same[1], other[1])


def test_a_class_with_too_few_rows_is_named():
    with pytest.raises(DataError, match="the class 'c' has 2 rows, and a split into 3 parts"):
        split(np.repeat([0, 1, 2], [50, 50, 2]))
    with pytest.raises(DataError, match="'c' has 1 row, and a split into 2"):
        split(np.repeat([0, 1, 2], [50, 50, 1]), shares=(0.2,))


@pytest.mark.parametrize("shares", [(0.5, 0.5), (-0.1, 0.2), (1.2,)])
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(DataError, match="cannot be split off"):
        split(np.repeat([0, 1, 2], 10), shares=shares)


def test_even_large_shares_leave_every_class_a_training_row():
    parts = split(np.repeat([0, 1, 2], 4), shares=(0.45, 0.45))
    assert min(len(part) for part in parts) >= 3


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (["b", "a", "b"], ("a", "b")),
        ([3, 1, 3], (1, 3)),
        ([3.0, 1.0, 3.0], (1, 3)),
        ([1.5, 0.5, 1.5], (0.5, 1.5)),
        ([True, False, True], (False, True)),
        (np.array(["b", "a", "b"], dtype=object), ("a", "b")),
        (np.array([2, 1, 2], dtype=np.uint8), (1, 2)),
        (np.array([[2], [1], [2]]), (1, 2)),
    ],
)
def test_labels_of_every_kind_become_classes_in_order(y, classes):
    labels = as_labels(np.asarray(y), "test")
    found = class_names(labels, "test")
    assert found == classes
    assert [type(label) for label in found] == [type(label) for label in classes]
    assert encode_labels(labels, found, "test").tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("y", "problem"),
    [
        (np.eye(3), "shape"),
        (np.array([1.0, np.nan, np.nan]), "missing in 2 of 3 rows, first in row 2"),
        (np.array(["a", None, "b"], dtype=object), "missing in 1 of 3 rows, first in row 2"),
        (np.array(["a", float("nan")], dtype=object), "missing in 1 of 2"),
        (np.array(["a", 1], dtype=object), "mix int and str"),
        (np.array([1j, 2j]), "complex128"),
    ],
)
def test_what_is_no_label_is_refused(y, problem):
    with pytest.raises(DataError, match=problem):
        as_labels(y, "test")


def test_one_class_alone_is_refused():
    with pytest.raises(DataError, match="every row is of the class 'yes'"):
        class_names(np.array(["yes"] * 9), "test")


@pytest.mark.parametrize(
    "y", [np.linspace(0, 1, 100), np.arange(100), np.array([f"name {i}" for i in range(90)])]
)
def test_a_measurement_is_no_class(y):
    with pytest.raises(DataError, match="looks like a measurement") as caught:
        class_names(y, "test")
    assert ("task='regression'" in caught.value.fix) == (y.dtype.kind != "U")


@pytest.mark.parametrize("y", [np.array([1, 4]), np.array(["1", "2"])])
def test_a_label_that_training_never_saw_is_refused(y):
    with pytest.raises(DataError, match="is none of the 2 training classes"):
        encode_labels(y, (1, 2), "test")
