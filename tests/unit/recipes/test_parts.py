import numpy as np
import pytest

from ripieno.errors import DataError
from ripieno.recipes import Data
from ripieno.recipes.folds import fold_rows
from ripieno.recipes.parts import divide_rows, multilabel_split, random_split


def labels(rows=600, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random((rows, 5)) < [0.5, 0.2, 0.05, 0.01, 0.9]).astype(np.int64)
    y[:3, 3] = 1
    return y


def test_labels_are_spread_in_proportion_the_rare_ones_too():
    y = labels()
    parts = multilabel_split(y, (0.2, 0.2), seed=0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(600))
    assert [len(part) for part in parts] == pytest.approx([360, 120, 120], abs=2)
    there = np.array([y[part].sum(axis=0) for part in parts])
    wanted = np.outer([0.6, 0.2, 0.2], y.sum(axis=0))
    assert np.abs(there - wanted).max() <= 2
    assert there.min() >= 1


def test_labels_are_spread_better_than_by_lot():
    y = labels(300, seed=1)

    def off(parts):
        shares = np.array([y[part].mean(axis=0) for part in parts])
        return np.abs(shares - y.mean(axis=0)).max()

    by_lot = [off(random_split(300, (0.2, 0.2), seed=seed)) for seed in range(20)]
    assert off(multilabel_split(y, (0.2, 0.2), seed=0)) < min(by_lot)


def test_rows_without_any_label_are_spread_too():
    y = np.zeros((50, 2), dtype=np.int64)
    assert [len(part) for part in multilabel_split(y, (0.2, 0.2), seed=0)] == [30, 10, 10]


def test_no_part_is_empty_where_every_row_has_the_same_rare_labels():
    y = np.array([[1, 1], [0, 1], [1, 0]])
    assert [len(part) for part in multilabel_split(y, (0.2, 0.2), seed=0)] == [1, 1, 1]


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_the_split_depends_on_the_seed_alone(task):
    y = labels() if task == "multilabel" else np.linspace(0.0, 1.0, 600)
    split = [divide_rows(y, (0.2, 0.2), task=task, seed=s, names=(), where="t") for s in (0, 0, 1)]
    assert all(np.array_equal(a, b) for a, b in zip(split[0], split[1], strict=True))
    assert not np.array_equal(split[0][1], split[2][1])


def test_values_are_divided_by_lot():
    parts = random_split(101, (0.2, 0.1), seed=0)
    assert [len(part) for part in parts] == [71, 20, 10]
    assert sorted(np.concatenate(parts).tolist()) == list(range(101))


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_too_few_rows_and_shares_that_leave_nothing_are_refused(task):
    y = np.ones((2, 2)) if task == "multilabel" else np.array([0.5, 1.5])
    with pytest.raises(DataError, match="2 rows, and a split into 3 parts"):
        divide_rows(y, (0.2, 0.2), task=task, seed=0, names=(), where="t")
    with pytest.raises(DataError, match="cannot be split off"):
        divide_rows(y, (0.5, 0.5), task=task, seed=0, names=(), where="t")


def test_the_fingerprint_tells_values_apart():
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = x[:, 0] + 0.5
    same, other = Data.from_arrays(x, y), Data.from_arrays(x, y + 1e-9)
    assert Data.from_arrays(2 * x, y).fingerprint == same.fingerprint
    assert other.fingerprint != same.fingerprint


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_folds_are_alike_in_size_and_hold_every_row_once(task):
    y = labels(101) if task == "multilabel" else np.linspace(0.0, 1.0, 101)
    folds = fold_rows(y, 4, task=task, seed=0, names=(), where="t")
    assert sorted(np.concatenate(folds).tolist()) == list(range(101))
    sizes = [len(part) for part in folds]
    assert max(sizes) - min(sizes) <= (2 if task == "multilabel" else 1)
    if task == "multilabel":
        there = np.array([y[part].sum(axis=0) for part in folds])
        assert (there.max(axis=0) - there.min(axis=0)).max() <= 2
    with pytest.raises(DataError, match="folds = 4 needs 4"):
        fold_rows(y[:3], 4, task=task, seed=0, names=(), where="t")


def test_groups_and_times_divide_values_and_labels_too():
    rng = np.random.default_rng(0)
    x, groups = rng.normal(size=(200, 2)), np.repeat(np.arange(40), 5)
    for y in (x[:, 0] * 1.5, (x > 0.5).astype(int)):
        data = Data.from_arrays(x, y, groups=groups)
        assert data.task in {"regression", "multilabel"}
        assert len(data.train) + len(data.validation) + len(data.test) == 200
        late = Data.from_arrays(x, y, time=np.arange(200))
        np.testing.assert_array_equal(late.test.y, y[160:])
