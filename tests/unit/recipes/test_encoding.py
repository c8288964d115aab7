import json
from dataclasses import asdict

import numpy as np
import pytest

from ripieno.errors import DataError
from ripieno.recipes import Table
from ripieno.recipes.encoding import TableEncoder, as_kind


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    age = rng.normal(40, 9, 400)
    age[:20] = np.nan
    town = np.array([f"town {i}" for i in rng.integers(90, size=400)], dtype=object)
    job = rng.choice(np.array(["baker", "cook", None], dtype=object), 400)
    return Table(("town", "age", "job", "rooms"), (town, age, job, rng.integers(9, size=400) * 1.0))


def test_features_stand_in_their_order_with_embedded_columns_last(table):
    encoder = TableEncoder.fit(table)
    assert encoder.features == (
        "age", "rooms", "age is missing", "job = baker", "job = cook", "job is missing", "town",
    )  # fmt: skip
    assert encoder.numbers == 2
    assert encoder.cardinalities == (encoder.columns[0].cardinality,)
    x = encoder.apply(table)
    assert x.dtype == np.float32
    assert x.shape == (400, 7)
    assert x[:, 2].sum() == 20
    assert np.array_equal(x[:, 3:6].sum(1), np.ones(400))
    assert set(x[:, 6]) <= set(range(encoder.cardinalities[0]))


def test_rows_are_encoded_alike_alone_and_in_company(table):
    encoder = TableEncoder.fit(table)
    large = table[np.arange(9000) % 400]
    assert np.array_equal(encoder.apply(large)[8999:], encoder.apply(table[8999 % 400 :])[:1])


def test_only_the_fitted_rows_are_learned_from(table):
    first = table[np.arange(200)]
    encoder = TableEncoder.fit(first)
    assert encoder.columns[1].fill == np.nanmedian(first.columns[1])
    assert encoder.columns[1].center != TableEncoder.fit(table).columns[1].center


def test_a_fixed_layout_gives_any_part_the_same_features(table):
    whole = TableEncoder.fit(table)
    few = table[np.arange(30, 60)]  # no age is missing in it, and not every town is there
    assert TableEncoder.fit(few).features != whole.features
    alike = TableEncoder.fit(few, like=whole)
    assert alike.features == whole.features
    assert alike.cardinalities == whole.cardinalities
    assert alike.columns[1].fill == np.median(few.columns[1])


def test_json_keeps_every_number(table):
    encoder = TableEncoder.fit(table)
    back = TableEncoder.from_tree(json.loads(json.dumps(asdict(encoder))))
    assert back == encoder
    assert np.array_equal(back.apply(table), encoder.apply(table))


def test_arrays_become_tables_by_position(table):
    encoder = TableEncoder.fit(table)
    rows = np.column_stack([column.astype(object) for column in table.columns])
    assert np.array_equal(encoder.apply(encoder.table(rows)), encoder.apply(table))
    with pytest.raises(DataError, match="the training rows had 4 columns"):
        encoder.table(rows[:, :3])


def test_columns_are_found_by_name(table):
    encoder = TableEncoder.fit(table)
    other = Table(table.names[::-1], table.columns[::-1])
    assert np.array_equal(encoder.apply(encoder.select(other)), encoder.apply(table))
    with pytest.raises(DataError, match="no column 'age', 'job'"):
        encoder.select(Table(("town", "rooms"), (table.columns[0], table.columns[3])))


def test_numbers_are_read_from_text_and_what_is_none_is_named():
    values = np.array(["1", " 2.5", None, "1e3", True], dtype=object)
    numbers = as_kind(values, "age", categorical=False)
    assert np.array_equal(numbers, [1, 2.5, np.nan, 1000, 1], equal_nan=True)
    with pytest.raises(DataError, match="'age' holds 'old' in row 2, which is no number"):
        as_kind(np.array(["1", "old"], dtype=object), "age", categorical=False)
    for far in (np.inf, -np.inf, 1e39):
        with pytest.raises(DataError, match="infinite or too large in 'age', first in row 2"):
            as_kind(np.array([1.0, far]), "age", categorical=False)
