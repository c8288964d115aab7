import numpy as np
import pandas as pd
import pytest

from ripieno.errors import DataError
from ripieno.recipes.grouping import Dividing, divide_by


def divided(shares=(0.2, 0.2), y=None, seed=0, **by):
    y = np.zeros(len(next(iter(by.values()))), dtype=np.int64) if y is None else y
    return divide_by(Dividing.of(by.get("groups"), by.get("time")), y, shares, seed=seed, where="h")


def people(rows=3000, count=400, seed=0):
    rng = np.random.default_rng(seed)
    groups = (count * rng.random(rows) ** 2).astype(int)  # of very unlike sizes
    leaning = rng.random(count)
    return groups, (rng.random(rows) < leaning[groups]).astype(np.int64)


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_two_parts_and_the_parts_resemble_each_other(seed):
    groups, y = people(seed=seed)
    parts = divided(groups=groups, y=y, seed=seed)
    owned = [set(groups[part]) for part in parts]
    assert not owned[0] & owned[1]
    assert not owned[0] & owned[2]
    assert not owned[1] & owned[2]
    assert sorted(np.concatenate(parts).tolist()) == list(range(3000))
    shares = np.array([len(part) for part in parts]) / 3000
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.02)
    rates = np.array([y[part].mean() for part in parts])
    assert np.ptp(rates) < 0.04


def test_the_groups_of_a_seed_are_always_the_same_and_names_do_not_matter():
    groups, y = people()
    first = divided(groups=groups, y=y)
    assert all(map(np.array_equal, first, divided(groups=groups, y=y)))
    assert not all(map(np.array_equal, first, divided(groups=groups, y=y, seed=1)))
    as_floats = divided(groups=groups.astype(float), y=y)
    assert all(map(np.array_equal, as_floats, divided(groups=pd.Series(groups), y=y)))


def test_every_part_gets_a_group_even_of_few_and_unlike_ones():
    groups = np.array([0] * 90 + [1] * 5 + [2] * 5)
    assert [len(set(groups[part])) for part in divided(groups=groups)] == [1, 1, 1]


def test_measurements_need_no_classes():
    groups, _ = people()
    parts = divided(groups=groups, y=np.random.default_rng(0).normal(size=(3000, 2)))
    assert [len(part) / 3000 for part in parts] == pytest.approx([0.6, 0.2, 0.2], abs=0.02)


@pytest.mark.parametrize(
    "time",
    [
        np.arange(100)[::-1],
        np.arange(100.0)[::-1] / 7,
        np.array([f"2024-01-01 {h:02}:{m:02}" for h in range(10) for m in range(10)])[::-1],
        pd.date_range("2024-01-01", periods=100)[::-1].to_numpy(),
        pd.Series(pd.date_range("2024-01-01", periods=100, tz="UTC")[::-1]),
        np.array([str(i) for i in range(1, 101)])[::-1],
    ],
    ids=["numbers", "floats", "texts", "datetimes", "zoned", "numbers as text"],
)
def test_the_latest_rows_are_validation_and_test(time):
    train, validation, test = divided(time=time)
    assert test.tolist() == list(range(20))
    assert validation.tolist() == list(range(20, 40))
    assert train.tolist() == list(range(40, 100))


def test_rows_of_one_instant_stay_on_one_side():
    time = np.repeat(np.arange(20), 7)
    for part, other in zip(parts := divided(time=time), parts[1:], strict=False):
        assert time[part].max() < time[other].min()


@pytest.mark.parametrize(
    ("by", "problem"),
    [
        (
            {"groups": np.arange(2).repeat(9)},
            "there are 2 groups, and a split into 3 parts needs 3",
        ),
        ({"groups": np.array(["a", None] * 9, dtype=object)}, "group is missing in 9 of 18 rows"),
        ({"time": np.array([1.0, np.nan] * 9)}, "time is missing in 9 of 18 rows, first in row 2"),
        ({"time": np.array(["soon", "later"] * 9)}, "the times cannot be put in order"),
        ({"time": np.zeros(18)}, "1 different times cannot be cut into 3 parts"),
        ({"groups": np.zeros((18, 2))}, r"shape \(18, 2\), and there are 18 rows"),
    ],
)
def test_what_cannot_divide_rows_is_refused(by, problem):
    with pytest.raises(DataError, match=problem):
        divided(y=np.zeros(18, dtype=np.int64), **by)


def test_a_class_that_only_comes_late_is_refused():
    y = (np.arange(100) > 90).astype(np.int64)
    with pytest.raises(DataError, match="by time leaves 1 of 2 classes without a row"):
        divided(time=np.arange(100), y=y)


def test_shares_that_leave_nothing_are_refused():
    with pytest.raises(DataError, match=r"shares of 0\.5, 0\.5"):
        divided(shares=(0.5, 0.5), time=np.arange(10))
