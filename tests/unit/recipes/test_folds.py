import numpy as np
import pytest

from ripieno.errors import DataError
from ripieno.recipes import Data, Preprocess, load
from ripieno.recipes.folds import stratified_folds

ROWS = 203


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    return rng.normal(5, 2, size=(ROWS, 4)), rng.integers(3, size=ROWS)


def folds_of(y, folds, seed=0):
    return stratified_folds(np.asarray(y), folds, seed=seed, names=("a", "b", "c"), where="test")


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_every_row_is_in_one_fold_and_folds_differ_by_one_row_at_most(folds):
    y = np.random.default_rng(folds).permutation(np.repeat([0, 1, 2], [117, 31, 11]))
    found = folds_of(y, folds)
    assert sorted(np.concatenate(found).tolist()) == list(range(159))
    assert np.ptp([len(rows) for rows in found]) <= 1
    counts = np.array([np.bincount(y[rows], minlength=3) for rows in found])
    assert np.ptp(counts, axis=0).max() <= 1
    assert all((np.diff(rows) > 0).all() for rows in found)


def test_the_folds_depend_on_the_seed_the_labels_and_their_number_alone():
    y = np.repeat([0, 1, 2], 20)
    assert all(map(np.array_equal, folds_of(y, 3), folds_of(y, 3)))
    assert not np.array_equal(folds_of(y, 3)[0], folds_of(y, 3, seed=1)[0])


def test_each_part_is_standardised_by_its_own_training_rows(arrays):
    x, y = arrays
    data = Data.from_arrays(x, y, x_test=x[:9], y_test=y[:9], folds=5, seed=1)
    for part, rows in zip(data.folds.parts, data.folds.rows, strict=True):
        others = np.delete(np.arange(ROWS), rows)
        preprocess = Preprocess.fit(x[others])
        assert part.preprocess == preprocess
        assert np.array_equal(part.train.x, preprocess.apply(x[others]))
        assert np.array_equal(part.train.y, y[others])
        assert np.array_equal(part.validation.x, preprocess.apply(x[rows]))
        assert np.array_equal(part.validation.y, y[rows])
        assert np.array_equal(part.test.x, preprocess.apply(x[:9]))


def test_nothing_of_a_fold_leaks_into_its_training_part(arrays):
    x, y = arrays
    data = Data.from_arrays(x, y, test_share=0, folds=4)
    for number, rows in enumerate(data.folds.rows):
        changed = x.copy()
        changed[rows] = 1e6 * np.random.default_rng(number).normal(size=(len(rows), 4))
        other = Data.from_arrays(changed, y, test_share=0, folds=4).folds.parts[number]
        part = data.folds.parts[number]
        assert part.preprocess == other.preprocess
        assert part.train.x.tobytes() == other.train.x.tobytes()


def test_the_test_part_is_that_of_a_single_split_and_keeps_its_raw_rows(arrays):
    x, y = arrays
    single, folded = Data.from_arrays(x, y, seed=2), Data.from_arrays(x, y, folds=5, seed=2)
    assert np.array_equal(single.test.y, folded.test.y)
    assert np.array_equal(single.preprocess.apply(folded.test.raw), single.test.x)
    assert len(folded.targets) == ROWS - len(single.test)
    assert single.test.raw is None
    given = Data.from_arrays(x, y, x_test=x[:9], y_test=y[:9], folds=5)
    assert np.array_equal(given.test.raw, x[:9])


def test_folded_data_are_those_of_the_first_fold_for_whom_knows_no_folds(arrays):
    data = Data.from_arrays(*arrays, folds=3)
    first = data.folds.parts[0]
    assert data.train is first.train
    assert data.validation is first.validation
    assert data.preprocess is first.preprocess
    assert data.parts == data.folds.parts
    assert first.folds is None
    assert first.parts == (first,)
    assert first.targets is first.validation.y


def test_out_of_fold_answers_stand_in_the_order_of_the_search_part(arrays):
    x, y = arrays
    data = Data.from_arrays(x, y, test_share=0, folds=5)
    assert np.array_equal(data.targets, y)
    restored = [x[rows] for rows in data.folds.rows]
    assert np.array_equal(data.folds.out_of_fold(restored), x)


def test_an_epoch_is_as_long_as_the_smallest_training_part(arrays):
    data = Data.from_arrays(*arrays, test_share=0, folds=4)
    assert sorted(len(part.train) for part in data.parts) == [152, 152, 152, 153]
    assert data.folds.epoch_rows == 152


def test_the_fingerprint_tells_folds_apart_and_depends_on_nothing_else(arrays):
    x, y = arrays
    one = Data.from_arrays(x, y, folds=5)
    assert Data.from_arrays(x * 2, y, folds=5, name="other").fingerprint == one.fingerprint
    others = [
        Data.from_arrays(x, y),
        Data.from_arrays(x, y, folds=4),
        Data.from_arrays(x, y, folds=5, seed=1),
        Data.from_arrays(x, 2 - y, folds=5),
        Data.from_arrays(x, y, folds=5, test_share=0.1),
        *one.folds.parts,
    ]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 11


@pytest.mark.parametrize("folds", [0, -1, True, 2.0, "5"])
def test_an_impossible_number_of_folds_is_refused(arrays, folds):
    with pytest.raises(DataError, match="needs at least 2 folds") as error:
        Data.from_arrays(*arrays, folds=folds)
    assert "such as 5" in error.value.fix


def test_more_folds_than_rows_of_the_smallest_class_are_refused():
    x, y = np.zeros((40, 2)), np.repeat(["many", "few"], [35, 5])
    with pytest.raises(DataError, match="'few' has 4 rows outside of the test part, and fo") as e:
        Data.from_arrays(x, y, folds=6)
    assert "at most 4 folds" in e.value.fix
    assert len(Data.from_arrays(x, y, folds=4).folds) == 4
    with pytest.raises(DataError, match="'b' has 1 row outside") as e:
        Data.from_arrays(x[:9], list("aaaaaaaab"), test_share=0, folds=2)
    assert e.value.fix.startswith("add rows")


def test_every_source_of_data_takes_folds(tmp_path, arrays):
    x, y = arrays
    assert len(load("digits", folds=3).folds) == 3
    np.savez(tmp_path / "rows.npz", x_train=x, y_train=y)
    lines = ["a,b,c,d,label", *(",".join(map(str, [*row, k])) for row, k in zip(x, y, strict=True))]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    wanted = Data.from_arrays(x, y, folds=4, seed=3)
    for name in ("rows.npz", "rows.csv"):
        read = load(tmp_path / name, numeric="standardize", folds=4, seed=3)
        assert read.fingerprint == wanted.fingerprint
        assert np.allclose(read.folds.parts[3].train.x, wanted.folds.parts[3].train.x, atol=1e-6)
