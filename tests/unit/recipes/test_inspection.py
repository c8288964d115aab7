import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from ripieno.errors import DataError
from ripieno.recipes.inspection import column_kinds

ROWS = 60
RNG = np.random.default_rng(0)
WORDS = [f"word {i}" for i in range(200)]


def kind(values, name="a", **options):
    frame = pd.DataFrame({name: values})
    return column_kinds(frame, where="here", **options)[name]


def refusal(values, name="a"):
    with pytest.raises(DataError) as caught:
        kind(values, name)
    assert caught.value.where == "here"
    assert f"drop=({name!r},)" in caught.value.fix
    assert f"--drop {name}" in caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    "values",
    [
        RNG.normal(size=ROWS),
        RNG.integers(9, size=ROWS),
        RNG.random(ROWS) < 0.5,
        pd.array([1, None] * 30, dtype="Int64"),
        pd.array([True, None, False] * 20, dtype="boolean"),
        [True, False, None] * 20,
        ["1", "2.5", "-3e4"] * 20,
        [Decimal("1.5"), Decimal(2)] * 30,
        [1.5, None] * 30,
        [7.0, None] * 30,
    ],
    ids=str,
)
def test_numbers_are_numbers_however_they_are_stored(values):
    assert not kind(values)


@pytest.mark.parametrize(
    "values",
    [
        ["x", "y", None] * 20,
        ["1", "2", "3+"] * 20,
        ["10-19", "20-29"] * 30,
        pd.Categorical([1, 2, 3] * 20),
        pd.array(["x", "y"] * 30, dtype="string"),
        WORDS[:30] * 2,
        ["yes", None] * 30,
        ["1.2.3", "1.2.4"] * 30,
    ],
    ids=str,
)
def test_few_texts_are_categories(values):
    assert kind(values)


@pytest.mark.parametrize(
    "example",
    [
        "2024-01-31", "2024-01-31 12:30", "2024-01-31T12:30:00Z", "2024-01", "31/01/2024",
        "1/2/24", "31.01.2024", "31-01-2024", "12:30", "31 Jan 2024", "Jan 31, 2024",
        "2024/01/31", dt.date(2024, 1, 31), pd.Timestamp("2024-01-31"),
        pd.Timestamp("2024-01-31", tz="UTC"), pd.Timedelta(days=2), pd.Period("2024-01"),
    ],
    ids=str,
)  # fmt: skip
def test_dates_are_refused_with_what_to_do(example):
    values = [example] * 30 + [None] * 30
    error = refusal(values, "when")
    assert error.problem.startswith("the column 'when' holds dates or times (for example '")
    assert "year, month, weekday" in error.fix
    assert "--time" in error.fix
    if isinstance(example, str):
        assert kind(values, categorical={"a"})


@pytest.mark.parametrize(
    ("values", "name", "problem"),
    [
        (["US"] * ROWS, "a", "holds the same value in every row ('US')"),
        ([4] * ROWS, "a", "holds the same value in every row ('4')"),
        ([None] * ROWS, "a", "is empty"),
        ([np.nan] * ROWS, "a", "is empty"),
        (WORDS[:ROWS], "a", "holds free text or identifiers (for example 'word 0'): 60 different"),
        ([f"{w} and so on {'.' * 60}" for w in WORDS[:25]] * 4, "a", "holds free text"),
        (range(ROWS), "PassengerId", "holds free text or identifiers: 60 different values in 60"),
        (range(ROWS), "customer_id", "holds free text or identifiers"),
        (range(ROWS), "index", "holds free text or identifiers"),
        ([*map(str, range(55)), *"abcde"], "a", "mixes numbers and text: 5 of 60 values are no"),
        ([f"${i},000" for i in range(ROWS)], "a", "holds numbers that are written as text"),
        ([f"{i} kg" for i in range(ROWS)], "a", "holds numbers that are written as text"),
        ([[1, 2], [3]] * 30, "a", "holds list objects"),
        ([b"1", b"2"] * 30, "a", "holds bytes objects"),
    ],
)
def test_what_teaches_nothing_is_refused(values, name, problem):
    assert f"the column {name!r} {problem}" in refusal(values, name).problem


def test_an_id_that_repeats_is_a_category_and_other_names_are_numbers():
    assert kind(np.arange(ROWS) % 9, "store_id")
    assert kind(np.arange(ROWS) % 9, "storeID")
    assert not kind(np.arange(ROWS), "width")
    assert not kind(np.arange(ROWS) / 7, "fluid_index")
    assert not kind(np.arange(ROWS) % 9, "humidity")


def test_all_refused_columns_are_told_at_once():
    frame = pd.DataFrame({"ok": RNG.normal(size=ROWS)})
    for i in range(7):
        frame[f"c{i}"] = i
    with pytest.raises(DataError, match=r"7 columns .* and 2 more") as e:
        column_kinds(frame, where="here")
    assert "--drop c0 --drop c1" in e.value.fix
    assert "--drop c6" in e.value.fix


def test_an_unknown_column_is_answered_with_the_closest():
    with pytest.raises(DataError, match="no column 'colour'") as caught:
        kind([1, 2] * 30, "color", categorical={"colour"})
    assert "Did you mean 'color'?" in caught.value.fix
