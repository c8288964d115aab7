"""Raw tables from files and frames to features, and new rows to the same features."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ripieno.errors import DataError
from ripieno.recipes import Data, Preprocess, load


def people(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows).astype(float),
            "income": rng.lognormal(8, 1, rows).round(2),
            "job": rng.choice(["cook", "baker", "clerk"], rows),
            "zip": rng.choice(["007", "010", "10A"], rows),
            "married": rng.random(rows) < 0.5,
            "household": np.arange(rows) // 3,
            "since": pd.date_range("2020-01-01", periods=rows).strftime("%Y-%m-%d"),
        }
    )
    frame["churned"] = np.where(frame.income > frame.income.median(), "yes", "no")
    frame.loc[::7, "age"] = np.nan
    frame.loc[::5, "job"] = None
    return frame


SAID = {"target": "churned", "drop": ["since", "household"]}


def write(frame, path):
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


@pytest.mark.parametrize("name", ["people.csv", "people.parquet"])
def test_a_table_of_all_kinds_is_read_and_its_rows_are_found_again(tmp_path, name):
    frame = people()
    path = write(frame, tmp_path / name)
    data = load(path, **SAID)
    assert data.preprocess.features == (
        "age", "income", "married", "age is missing", "job = baker", "job = clerk", "job = cook",
        "job is missing", "zip = 007", "zip = 010", "zip = 10A",
    )  # fmt: skip
    assert data.classes == ("no", "yes")
    stored = Preprocess.from_json(data.preprocess.to_json())
    everything = stored.apply(stored.read(path))
    assert np.array_equal(everything, stored.apply(frame))
    rows = {row.tobytes() for row in everything}
    for part in (data.train, data.validation, data.test):
        assert {row.tobytes() for row in part.x} <= rows


def test_csv_parquet_and_frame_are_one_table(tmp_path):
    frame = people()
    read = [load(write(frame, tmp_path / f"p{end}"), **SAID) for end in (".csv", ".parquet")]
    read.append(Data.from_frame(frame, **SAID))
    for data in read[1:]:
        assert data.preprocess == read[0].preprocess
        assert np.array_equal(data.test.x, read[0].test.x)
        assert data.fingerprint == read[0].fingerprint


def test_only_the_training_part_is_learned_from():
    frame = people()
    data = Data.from_frame(frame, time="since", target="churned", drop=["household"])
    train = frame.iloc[:180]
    age, income = data.preprocess.table.columns[:2]
    assert age.fill == train.age.median()
    assert income.quantiles[-1] == train.income.max()
    assert income.center == pytest.approx(train.income.mean())


def test_new_rows_may_hold_unseen_categories_gaps_and_other_columns(tmp_path):
    data = Data.from_frame(people(), **SAID)
    path = tmp_path / "new.csv"
    path.write_text("zip,job,extra,married,income,age\n007,pilot,x,True,,\n10A,cook,y,,9e9,50\n")
    x = data.preprocess.apply(data.preprocess.read(path))
    named = dict(zip(data.preprocess.features, x.T, strict=True))
    assert named["age is missing"].tolist() == [1, 0]
    assert named["job = cook"].tolist() == [0, 1]
    assert sum(named[f"job = {job}"][0] for job in ("baker", "clerk", "cook")) == 0
    assert named["zip = 007"].tolist() == [1, 0]  # not read as the number 7
    assert np.isfinite(x).all()
    assert named["income"][0] == pytest.approx(0.0, abs=0.05)  # the median


def test_a_single_new_row_is_enough(tmp_path):
    data = Data.from_frame(people(), **SAID)
    path = tmp_path / "one.csv"
    people().iloc[[3]].to_csv(path, index=False)
    assert np.array_equal(
        data.preprocess.apply(data.preprocess.read(path)), data.preprocess.apply(people())[3:4]
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("age,income,job\n1,2,cook\n", "columns 'zip', 'married' are missing"),
        ("age,income,job,zip,married\nold,2,cook,7,1\n", "'age' holds 'old' in row 1"),
        ("age,income,job,zip,married\n1,inf,cook,7,1\n", "infinite or too large in 'income'"),
        ("age,income,job,zip,married\n", "holds no rows"),
    ],
)
def test_new_rows_that_do_not_fit_are_refused(tmp_path, text, problem):
    data = Data.from_frame(people(), **SAID)
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(DataError, match=problem):
        data.preprocess.read(tmp_path / "new.csv")


def test_groups_and_times_are_columns_and_no_features():
    frame = people()
    grouped = Data.from_frame(frame, target="churned", groups="household", drop="since")
    assert "household" not in grouped.preprocess.features
    assert sorted(map(len, (grouped.train, grouped.validation, grouped.test))) == [60, 60, 180]
    timed = Data.from_frame(frame, target="churned", time="since", drop="household")
    later = timed.preprocess.apply(frame.iloc[240:])
    assert np.array_equal(timed.test.x, later)
    with pytest.raises(DataError, match="no column 'houshold'") as caught:
        Data.from_frame(frame, target="churned", groups="houshold")
    assert "Did you mean 'household'?" in caught.value.fix


def test_columns_that_cannot_be_features_are_named_with_the_way_out():
    with pytest.raises(DataError, match="'since' holds dates") as caught:
        Data.from_frame(people(), target="churned")
    assert "--drop since" in caught.value.fix


def test_numbers_can_be_told_to_be_categories(tmp_path):
    frame = people().assign(code=np.arange(300) % 3)
    path = write(frame, tmp_path / "p.csv")
    data = load(path, categorical="code", **SAID)
    assert data.preprocess.features[-3:] == ("code = 0", "code = 1", "code = 2")


def test_the_transform_of_numbers_can_be_chosen(tmp_path):
    normal = Data.from_frame(people(), **SAID)
    scaled = Data.from_frame(people(), numeric="standardize", **SAID)
    assert np.abs(normal.train.x[:, 1]).max() < 5.3
    assert scaled.train.x[:, 1].mean() == pytest.approx(0.0, abs=1e-6)
    assert scaled.preprocess.table.columns[1].quantiles == ()


@pytest.fixture
def archive(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    x[:, 1] = rng.integers(4, size=200)
    x[::9, 1] = np.nan
    x[::8, 2] = np.nan
    arrays = {
        "X": x,
        "y": (x[:, 0] > 0).astype(int),
        "is_cat": np.array([False, True, False]),
        "is_test": np.arange(200) >= 150,
        "names": np.array(["size", "kind", "age"]),
    }

    def write(**changes):
        path = tmp_path / "table.npz"
        made = {k: v for k, v in {**arrays, **changes}.items() if v is not None}
        np.savez(path, **made)
        return path

    return write


def test_an_archived_table_tells_its_columns_and_its_test_rows(archive):
    path = archive()
    data = load(path)
    assert data.preprocess.columns == ("size", "kind", "age")
    assert data.preprocess.features == (
        "size", "age", "age is missing", "kind = 0", "kind = 1", "kind = 2", "kind = 3",
        "kind is missing",
    )  # fmt: skip
    assert len(data.test) == 50
    everything = data.preprocess.apply(data.preprocess.read(path))
    assert np.array_equal(everything[150:], data.test.x)
    with np.load(path) as stored:
        assert np.array_equal(data.preprocess.apply(stored["X"]), everything)
    dropped = load(path, drop="age")
    assert dropped.preprocess.columns == ("size", "kind")
    assert dropped.preprocess.apply(dropped.preprocess.read(path)).shape == (200, 6)


def test_an_archived_table_may_tell_less(archive):
    data = load(archive(names=None, is_cat=None, is_test=None))
    assert data.preprocess.columns == ("column 0", "column 1", "column 2")
    assert len(data.test) == 40


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"is_cat": np.array([True])}, r"'is_cat' has the shape \(1,\)"),
        ({"is_test": np.array([True])}, r"'is_test' has the shape \(1,\)"),
        ({"y": np.arange(3)}, r"'y' has the shape \(3,\)"),
        ({"names": np.array(["a", "b"])}, "'names' holds 2 different names for 3 columns"),
        ({"X": np.full((200, 3), np.inf)}, "infinite or too large|same value"),
    ],
)
def test_an_archived_table_that_does_not_fit_together_is_refused(archive, changes, problem):
    with pytest.raises(DataError, match=problem):
        load(archive(**changes))


def test_an_archive_may_hold_its_validation_part(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(90, 4)), np.arange(90) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_val=x[:9], y_val=y[:9], x_test=x, y_test=y)
    data = load(tmp_path / "a.npz")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [90, 9, 90]


BAD = {
    "empty.csv": ("", "cannot be read as CSV"),
    "no header.csv": ("1,2,0\n3,4,1\n5,6,0\n", "the first line holds values"),
    "no target.csv": ("a,b\n1,2\n3,4\n", "no column looks like a target"),
    "one class.csv": ("a,y\n" + "".join(f"{i},x\n" for i in range(40)), "every row is of the"),
    "dates.csv": (
        "when,y\n" + "".join(f"2024-01-{i + 1:02},{i % 2}\n" for i in range(30)),
        "the column 'when' holds dates",
    ),
    "constant.csv": (
        "c,a,y\n" + "".join(f"7,{i},{i % 2}\n" for i in range(30)),
        "the column 'c' holds the same value",
    ),
    "ids.csv": (
        "PassengerId,a,y\n" + "".join(f"{i},{i % 7},{i % 2}\n" for i in range(30)),
        "the column 'PassengerId' holds free text or identifiers",
    ),
    "gaps.csv": (
        "a,y\n" + "".join(f"{i},{i % 2 or ''}\n" for i in range(30)),
        "the target is missing in 15 of 30 rows",
    ),
    "infinite.csv": (
        "a,y\n" + "".join(f"{'inf' if i == 4 else i},{i % 2}\n" for i in range(30)),
        "1 value is infinite or too large in 'a', first in row 5",
    ),
    "mixed.csv": (
        "a,y\n" + "".join(f"{'old' if i == 4 else i},{i % 2}\n" for i in range(60)),
        "the column 'a' mixes numbers and text",
    ),
    "broken.parquet": ("no parquet", "cannot be read as Parquet"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_three_parts(tmp_path, name):
    text, problem = BAD[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as caught:
        load(tmp_path / name)
    assert problem in caught.value.problem
    assert Path(name).stem in caught.value.where
    assert caught.value.fix.endswith(".")
