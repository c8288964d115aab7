"""From a raw file of each kind to predictions, at the command line."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

SMALL = ("--trials", "3", "--epochs", "4", "--scheduler", "full", "--workers", "1")


def people(rows=240):
    rng = np.random.default_rng(0)
    job = rng.choice(["cook", "baker", "clerk"], rows).astype(object)
    age = rng.integers(18, 80, rows).astype(float)
    chance = np.where(job == "cook", 0.95, 0.05)
    frame = pd.DataFrame({"job": job, "age": age, "home": np.arange(rows) // 4})
    frame["day"] = pd.date_range("2024-01-01", periods=rows).strftime("%Y-%m-%d")
    frame["left"] = np.where(rng.random(rows) < chance, "yes", "no")
    frame.loc[::6, "age"] = np.nan
    frame.loc[1::8, "job"] = None
    return frame


def predictions(ripieno, *arguments):
    return list(csv.DictReader(io.StringIO(ripieno("predict", *arguments).stdout)))


@pytest.mark.parametrize("name", ["people.csv", "people.parquet"])
def test_a_table_with_strings_gaps_and_unseen_categories(ripieno, name):
    import ripieno as rp

    path = ripieno.folder / name
    frame = people()
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    options = ("--target", "left", "--groups", "home", "--drop", "day")
    ripieno("tune", name, *options, *SMALL, "--out", "study")
    new = pd.DataFrame({"age": [40.0, None, 30.0], "job": ["cook", "baker", "astronaut"]})
    new.to_csv(ripieno.folder / "new.csv", index=False)
    rows = predictions(ripieno, "study", "new.csv")
    assert [row["prediction"] for row in rows[:2]] == ["yes", "no"]
    assert 0.0 < float(rows[2]["probability_yes"]) < 1.0
    # The raw training file gives what the study itself predicted, row by row.
    again = np.array([float(row["probability_yes"]) for row in predictions(ripieno, "study", name)])
    with rp.open(ripieno.folder / "study") as study:
        ensemble = study.ensemble()
        inside = np.concatenate(
            [
                ensemble.predict_proba(part)[:, 1]
                for part in (study.job.data.train, study.job.data.validation, study.job.data.test)
            ]
        )
    assert np.allclose(np.sort(again), np.sort(inside), atol=1e-5)


def test_a_split_by_time_is_found_again_on_resume(ripieno):
    people().to_csv(ripieno.folder / "people.csv", index=False)
    ripieno(
        "tune", "people.csv", "--target", "left", "--time", "day", "--drop", "home",
        "--numeric", "standardize", "--categorical", "age", *SMALL, "--out", "study",
    )  # fmt: skip
    (ripieno.folder / "study" / "results.json").unlink()
    assert ripieno.json("resume", "study")["finished"]
    assert len(predictions(ripieno, "study", "people.csv")) == 240


def test_a_folder_of_images(ripieno):
    digits = load_digits()
    for number in (0, 1):
        for i, image in enumerate(digits.images[digits.target == number][:60]):
            folder = ripieno.folder / "digits" / ("train" if i < 45 else "test") / f"n{number}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray((image * 15).astype(np.uint8)).save(folder / f"{i}.png")
    ripieno("tune", "./digits", "--image-size", "10x10", *SMALL, "--out", "study")
    rows = predictions(ripieno, "study", "digits/test")
    assert rows[0]["file"] == "n0/45.png"
    right = [row["prediction"] == row["file"].split("/")[0] for row in rows]
    assert len(right) == 30
    assert np.mean(right) > 0.9
    ripieno("predict", "study", "digits/test/n1/50.png", "--out", "one.npz")
    with np.load(ripieno.folder / "one.npz") as stored:
        assert stored["files"].tolist() == ["50.png"]


def test_an_archived_table_with_its_own_test_rows(ripieno):
    frame = people()
    x = np.column_stack([frame.job.map({"cook": 0, "baker": 1, "clerk": 2}), frame.age])
    np.savez(
        ripieno.folder / "people.npz",
        X=x, y=frame.left.to_numpy(dtype=str), is_cat=np.array([True, False]),
        is_test=np.arange(240) >= 200, names=np.array(["job", "age"]),
    )  # fmt: skip
    ripieno("tune", "people.npz", *SMALL, "--out", "study")
    assert len(predictions(ripieno, "study", "people.npz")) == 240
    (ripieno.folder / "new.csv").write_text("age,job\n40,0\n,1\n")
    assert [r["prediction"] for r in predictions(ripieno, "study", "new.csv")] == ["yes", "no"]


def test_a_users_own_frame_and_dataset(ripieno):
    (ripieno.folder / "mine.py").write_text(
        "import numpy as np\nimport pandas as pd\nimport torch\nimport ripieno as rp\n"
        "from torch.utils.data import TensorDataset\n\n\n"
        "x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))\n\n\n"
        "def dataset():\n"
        "    return rp.Data.from_dataset(TensorDataset(x, (x[:, 0] > 0).long()),"
        " in_memory=False)\n\n\n"
        "def frame():\n"
        "    return pd.DataFrame({'a': x[:, 0], 'b': x[:, 1], 'y': (x[:, 0] > 0).int()})\n"
    )
    for name in ("dataset", "frame"):
        results = ripieno.json("tune", f"mine.py:{name}", *SMALL, "--out", name)
        assert results["best"]["test"]["accuracy"] > 0.8, json.dumps(results)


def test_a_damaged_image_and_unlike_sizes_are_refused(ripieno):
    for name in ("cats", "dogs"):
        (ripieno.folder / "pets" / name).mkdir(parents=True)
        for i in range(6):
            Image.new("L", (8, 8), i).save(ripieno.folder / "pets" / name / f"{i}.png")
    (ripieno.folder / "pets" / "cats" / "3.png").write_bytes(b"\x89PNG broken")
    assert "the image '3.png' cannot be read" in ripieno.refused("tune", "pets")
    Image.new("L", (9, 8)).save(ripieno.folder / "pets" / "cats" / "3.png")
    assert "--image-size 8x8" in ripieno.refused("tune", "pets")


def test_columns_that_cannot_be_features_are_refused_with_the_option_that_drops_them(ripieno):
    people().to_csv(ripieno.folder / "people.csv", index=False)
    message = ripieno.refused("tune", "people.csv", "--target", "left")
    assert "the column 'day' holds dates" in message
    assert "--drop day" in message
    assert "--time" in message
