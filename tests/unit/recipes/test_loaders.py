import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from ripieno.errors import DataError
from ripieno.recipes import load


@pytest.fixture
def table(tmp_path):
    """A function that writes a table of 60 rows, changed as told, and returns its path."""

    def write(change=lambda frame: frame, name="flowers.csv", **options):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(
            {
                "length": rng.normal(5, 1, 60),
                "petals": rng.integers(3, 9, 60),
                "wild": rng.random(60) < 0.5,
                "species": rng.choice(["iris", "rose", "tulip"], 60),
            }
        )
        changed = change(frame)
        path = tmp_path / name
        (frame if changed is None else changed).to_csv(path, index=False, **options)
        return path

    return write


def test_digits_are_the_1797_real_images():
    data = load("digits")
    parts = [data.train, data.validation, data.test]
    assert sum(map(len, parts)) == 1797
    assert data.shape == (1, 8, 8)
    assert data.classes == tuple(range(10))
    pixels = np.concatenate([part.x for part in parts])[:, 0]
    pixels = pixels * data.preprocess.scale[0] + data.preprocess.mean[0]
    images = load_digits().images
    assert pixels.sum() == pytest.approx(images.sum(), rel=1e-6)
    counts = np.stack([np.bincount(part.y) / len(part) for part in parts])
    assert np.ptp(counts, axis=0).max() < 0.005


def test_the_seed_moves_the_split():
    assert load("digits", seed=1).fingerprint != load("digits").fingerprint
    assert load("digits", seed=1).fingerprint == load("digits", seed=1).fingerprint


def test_a_table_gives_numbers_booleans_and_named_classes(table):
    data = load(table(), target="species")
    assert data.preprocess.columns == ("length", "petals", "wild")
    assert data.preprocess.target == "species"
    assert data.classes == ("iris", "rose", "tulip")
    assert data.shape == (3,)
    assert data.name == "flowers"


def test_the_split_of_a_table_can_be_read_back_by_its_preprocessing(table):
    path = table()
    data = load(path, target="species")
    everything = data.preprocess.apply(data.preprocess.read(path))
    assert {tuple(row) for row in data.test.x} <= {tuple(row) for row in everything}


@pytest.mark.parametrize("name", ["target", "label", "Class", "y"])
def test_a_column_with_a_usual_name_is_the_target(table, name):
    path = table(lambda frame: frame.rename(columns={"species": name}))
    assert load(path).preprocess.target == name


def test_a_target_that_is_not_given_must_be_the_only_candidate(table):
    with pytest.raises(DataError, match="no column looks like a target"):
        load(table())
    two = table(lambda frame: frame.rename(columns={"species": "label", "wild": "y"}))
    with pytest.raises(DataError, match="several columns could be the target: 'y', 'label'"):
        load(two)


def test_an_absent_target_is_answered_with_the_columns_and_the_closest(table):
    with pytest.raises(DataError, match="there is no column 'specie'") as caught:
        load(table(), target="specie")
    assert "length, petals, wild, species" in caught.value.where
    assert "Did you mean 'species'?" in caught.value.fix


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: f.assign(kind="wild"), "the column 'kind' holds the same value .*'wild'"),
        (lambda f: f.assign(a="x", b=7), "2 columns .* 'a' holds the same .*; 'b' holds the same"),
        (lambda f: f.assign(gone=None), "the column 'gone' is empty"),
        (lambda f: f.assign(petals=f.petals / (f.index != 9)), "infinite .*in 'petals'.* row 10"),
        (lambda f: f.assign(species=f.species.where(f.index > 1)), "missing in 2 of 60 rows"),
        (lambda f: f.assign(species="rose"), "every row is of the class 'rose'"),
        (lambda f: f.assign(species=range(len(f))), "looks like a measurement"),
        (lambda f: f[["species"]], "no column is left for the features"),
        (lambda f: f[:0], "holds no rows"),
        (lambda f: f.rename(columns={"length": ""}), "column number 1 has no name"),
        (lambda f: pd.concat([f, f.iloc[:, :1]], axis=1), "'length' stands 2 times"),
    ],
)
def test_a_table_that_cannot_be_trained_on_is_refused(table, change, problem):
    with pytest.raises(DataError, match=problem):
        load(table(change), target="species")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "holds no rows|cannot be read"),
        (b"a,b\n1,2\n3,4,5,6\n", "cannot be read as CSV"),
        (b"a,target\n\xff\xfe,1\n", "cannot be read as CSV"),
        (b'a,target\n"1,2\n', "cannot be read as CSV|holds no rows"),
    ],
    ids=["empty", "ragged", "binary", "open quote"],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, problem):
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=problem):
        load(path)


def test_a_byte_order_mark_is_no_part_of_the_first_name(table):
    data = load(table(encoding="utf-8-sig"), target="species")
    assert data.preprocess.columns[0] == "length"


@pytest.fixture
def archive(tmp_path):
    def write(**arrays):
        path = tmp_path / "images.npz"
        np.savez(path, **arrays)
        return path

    return write


def images(rows=60):
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(rows, 6, 5)).astype(np.uint8), np.arange(rows) % 3


def test_an_archive_gives_images_and_its_own_test_part(archive):
    x, y = images()
    data = load(archive(x_train=x, y_train=y, x_test=x[:10], y_test=y[:10]))
    assert data.shape == (1, 6, 5)
    assert np.array_equal(data.test.y, y[:10])
    assert len(data.train) + len(data.validation) == 60
    assert load(archive(x_train=x, y_train=y)).test is not None


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"x": images()[0]}, "holds no array 'x_train'"),
        ({"x_train": images()[0]}, "holds no array 'y_train'"),
        ({"x_train": images()[0], "y_train": images()[1][:-1]}, "60 rows .* 59 targets"),
        ({"x_train": images()[0], "y_train": np.eye(3)[images()[1]]}, "exactly one 1"),
        ({"x_train": images()[0], "y_train": images()[1], "x_test": images()[0]}, "y_test is mis"),
    ],
)
def test_an_archive_that_lacks_something_is_refused(archive, arrays, problem):
    with pytest.raises(DataError, match=problem) as caught:
        load(archive(**arrays))
    if "no array" in problem:
        assert all(name in caught.value.where for name in arrays)


def test_pickled_objects_are_refused_and_never_loaded(archive):
    path = archive(x_train=np.array([[1, "a"], [None, {}]], dtype=object), y_train=np.arange(2))
    with pytest.raises(DataError, match="holds Python objects"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04broken"])
def test_a_damaged_archive_is_refused(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not a readable \.npz file"):
        load(path)


def test_a_plain_array_with_the_wrong_suffix_is_refused(tmp_path):
    with (tmp_path / "x.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match=r"not a readable \.npz file"):
        load(tmp_path / "x.npz")


def test_a_target_needs_a_table(archive):
    x, y = images()
    for source in ("digits", archive(x_train=x, y_train=y)):
        with pytest.raises(DataError, match=r"only a table \(\.csv, \.parquet\) has columns"):
            load(source, target="y")
        with pytest.raises(DataError, match=r"drop = .* only a table"):
            load(source, drop=["y"])


def test_a_file_that_is_not_there_is_answered_with_the_closest(tmp_path):
    (tmp_path / "flowers.csv").write_text("a,y\n")
    with pytest.raises(DataError, match=r"'flower\.csv' does not exist") as caught:
        load(tmp_path / "flower.csv")
    assert "Did you mean 'flowers.csv'?" in caught.value.fix
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "no folder" / "flower.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        load(tmp_path / "folder.csv")


def test_an_unknown_kind_is_answered_with_the_known_ones():
    with pytest.raises(DataError, match="of no kind that can be read") as caught:
        load("data.xlsx")
    assert ".csv or .parquet or .npz, or a folder of images" in caught.value.fix


@pytest.mark.parametrize("name", ["digit", "folder/data"])
def test_an_unknown_name_is_answered_with_the_built_in_one(name):
    with pytest.raises(DataError, match=f"no built-in data '{name}'") as caught:
        load(name)
    assert "'digits'" in caught.value.fix
