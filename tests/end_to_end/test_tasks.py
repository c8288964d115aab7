"""A table of values and a set of labels, from the raw file to predictions."""

import csv
import io

import numpy as np
import pytest

SMALL = ("--trials", "5", "--epochs", "9", "--workers", "1")


def houses(folder, rows=400):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3))
    price = 2e5 + 5e4 * (x[:, 0] + 0.5 * x[:, 1] ** 2) + 2e3 * rng.normal(size=rows)
    lines = [f"{a:.6g},{b:.6g},{c:.6g},{p:.2f}" for (a, b, c), p in zip(x, price, strict=True)]
    (folder / "houses.csv").write_text("\n".join(["size,age,noise,price", *lines]))
    return x, price


def test_a_table_of_values_from_raw_file_to_predictions(ripieno):
    x, price = houses(ripieno.folder)
    results = ripieno.json("tune", "houses.csv", "--target", "price", *SMALL, "--out", "study")
    assert set(results["best"]["test"]) == {"rmse", "mae", "r2"}
    assert results["best"]["test"]["rmse"] < 0.5 * price.std()
    assert set(results["ensemble"]["gain"]) == {"rmse", "low", "high"}
    shown = ripieno("show", "study").stdout
    assert "rmse" in shown
    page = (ripieno.folder / "study" / "report.html").read_text()
    assert '<figure id="residuals">' in page
    assert '<figure id="confusion">' not in page
    new = "\n".join(["age,size,noise", *(f"{b},{a},{c}" for a, b, c in x[:50])])
    (ripieno.folder / "new.csv").write_text(new)
    rows = list(csv.DictReader(io.StringIO(ripieno("predict", "study", "new.csv").stdout)))
    assert list(rows[0]) == ["prediction"]
    found = np.array([float(row["prediction"]) for row in rows])
    assert np.sqrt(np.mean((found - price[:50]) ** 2)) < 0.6 * price.std()
    ripieno("predict", "study", "new.csv", "--out", "out.npz")
    with np.load(ripieno.folder / "out.npz") as stored:
        assert list(stored) == ["prediction"]
        np.testing.assert_allclose(stored["prediction"], found, rtol=1e-8)


def test_a_set_of_labels_from_raw_file_to_predictions(ripieno):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 4))
    y = np.stack([x[:, 0] > 0, x[:, 1] > 0.7, x[:, 2] + x[:, 3] > 0], axis=1)
    np.savez(
        ripieno.folder / "rows.npz", x_train=x, y_train=y, target_names=["art", "sport", "news"]
    )
    results = ripieno.json("tune", "rows.npz", "--metric", "auroc", *SMALL, "--out", "study")
    assert set(results["best"]["test"]) == {"log_loss", "f1_macro", "auroc"}
    assert results["best"]["test"]["auroc"] > 0.9
    assert "auroc" in ripieno("show", "study").stdout
    assert ripieno.json("resume", "study")["best"] == results["best"]
    page = (ripieno.folder / "study" / "report.html").read_text()
    assert '<figure id="labels">' in page
    np.savez(ripieno.folder / "new.npz", x=x[:60])
    rows = list(csv.DictReader(io.StringIO(ripieno("predict", "study", "new.npz").stdout)))
    names = ["art", "sport", "news"]
    assert list(rows[0]) == [f"{k}_{n}" for k in ("prediction", "probability") for n in names]
    said = np.array([[int(row[f"prediction_{n}"]) for n in names] for row in rows])
    p = np.array([[float(row[f"probability_{n}"]) for n in names] for row in rows])
    np.testing.assert_array_equal(said, p > 0.5)
    assert (said == y[:60]).mean() > 0.85


def test_what_the_targets_are_can_be_said(ripieno):
    houses(ripieno.folder, rows=120)
    lines = (ripieno.folder / "houses.csv").read_text().splitlines()
    stars = ["size,age,noise,stars", *(f"{line.rsplit(',', 1)[0]},{i % 5}" for i, line in
                                       enumerate(lines[1:]))]  # fmt: skip
    (ripieno.folder / "stars.csv").write_text("\n".join(stars))
    arguments = ("tune", "stars.csv", "--target", "stars", "--trials", "2", "--epochs", "1",
                 "--workers", "1")  # fmt: skip
    classes = ripieno.json(*arguments, "--out", "classes")
    assert "accuracy" in classes["best"]["test"]
    values = ripieno.json(
        *arguments, "--task", "regression", "--raw-targets", "--metric", "mae", "--out", "values"
    )
    assert "mae" in values["best"]["test"]
    ripieno("predict", "values", "houses.csv", "--out", "out.csv")
    (ripieno.folder / "new.csv").write_text("\n".join(stars[:3]))
    assert ripieno("predict", "values", "new.csv").stdout.count("\n") == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--metric", "accuracy"), ("'accuracy' is for classification", "rmse")),
        (("--task", "multilabel"), ("labels are 0 or 1", "Fix:")),
        (("--task", "classification"), ("looks like a measurement", "regression")),
    ],
)
def test_what_does_not_suit_the_targets_is_refused(ripieno, options, words):
    houses(ripieno.folder, rows=60)
    message = ripieno.refused("tune", "houses.csv", "--target", "price", *options)
    assert all(word in message for word in words)


def test_the_help_says_how_the_task_is_decided(ripieno):
    text = " ".join(ripieno("tune", "--help").stdout.replace("│", " ").split())
    for word in ("multilabel", "regression", "20 different ones", "balanced_accuracy", "pinball"):
        assert word in text


def test_several_target_columns_are_labels_from_raw_file_to_predictions(ripieno):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    art, news = (x[:, 0] > 0).astype(int), (x[:, 1] + x[:, 2] > 0).astype(int)
    lines = [
        f"{a:.5f},{b:.5f},{c:.5f},{p},{q}" for (a, b, c), p, q in zip(x, art, news, strict=True)
    ]
    text = "\n".join(["a,b,c,art,news", *lines])
    (ripieno.folder / "rows.csv").write_text(text)
    options = ("--set", "lr=0.02", "--set", "width=16", "--class-weights", "balanced")
    results = ripieno.json(
        "tune", "rows.csv", "--target", "art", "--target", "news", *options, *SMALL,
        "--out", "study",
    )  # fmt: skip
    config = results["best"]["config"]
    assert (config["lr"], config["width"], config["pos_weight"]) == (0.02, 16, "balanced")
    assert results["ensemble"]["selected_by"] == "log_loss"
    assert ripieno.json("resume", "study")["best"] == results["best"]
    rows = list(csv.DictReader(io.StringIO(ripieno("predict", "study", "rows.csv").stdout)))
    names = ["art", "news"]
    assert list(rows[0]) == [f"{k}_{n}" for k in ("prediction", "probability") for n in names]
    assert np.mean([int(row["prediction_art"]) for row in rows] == art) > 0.8
    assert "'nws'" in ripieno.refused("tune", "rows.csv", "--target", "art,nws")
    assert "no hyperparameter 'widht'" in ripieno.refused(
        "tune", "rows.csv", "--target", "art", "--drop", "news", "--set", "widht=3"
    )


def test_a_study_of_another_metric_selects_by_it_and_says_so(ripieno):
    houses(ripieno.folder, rows=200)
    options = ("--target", "price", "--metric", "mae", *SMALL, "--out", "study")
    assert "ensemble selected by validation mae" in ripieno("tune", "houses.csv", *options).stdout
    assert "Selected by validation" in (ripieno.folder / "study" / "report.html").read_text()
