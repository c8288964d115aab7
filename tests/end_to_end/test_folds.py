"""Cross-validation and repeated seeds from the command line, from raw file to predictions."""

import csv
import io

import numpy as np

SMALL = ("--trials", "5", "--epochs", "3", "--recipe", "mlp")


def write_table(folder, rows=150):
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 5.0, size=(rows, 3))
    label = np.where(x[:, 0] + x[:, 1] > 6, "yes", "no")
    lines = [f"{a},{b},{c},{y}" for (a, b, c), y in zip(x, label, strict=True)]
    (folder / "rows.csv").write_text("\n".join(["u,v,w,answer", *lines]))


def table(ripieno, folder):
    import ripieno as rp

    with rp.open(ripieno.folder / folder, read_only=True) as study:
        return study.to_dataframe().drop(columns="seconds")


def test_folds_and_seeds_from_raw_file_to_predictions(ripieno):
    write_table(ripieno.folder)
    options = ("rows.csv", "--target", "answer", *SMALL, "--folds", "3", "--seeds", "2")
    results = ripieno.json("tune", *options, "--workers", "2", "--out", "study")
    assert (results["folds"], results["seeds"]) == (3, 2)
    assert results["best"]["validation"]["log_loss_spread"] > 0
    shown = ripieno("show", "study").stdout
    assert "6 models a trial (3 folds x 2 seeds)" in shown
    best = results["best"]["validation"]
    assert f"{best['log_loss']:.4f} ± {best['log_loss_spread']:.4f}" in shown
    (ripieno.folder / "new.csv").write_text("w,v,u\n3,13,13\n3,-7,-7\n")
    rows = list(csv.DictReader(io.StringIO(ripieno("predict", "study", "new.csv").stdout)))
    assert [row["prediction"] for row in rows] == ["yes", "no"]
    ripieno("tune", *options, "--workers", "1", "--out", "one")
    assert table(ripieno, "one").equals(table(ripieno, "study"))


def test_a_stacked_search_takes_folds_and_seeds(ripieno):
    write_table(ripieno.folder)
    results = ripieno.json(
        "tune", "rows.csv", "--target", "answer", *SMALL, "--folds", "3", "--seeds", "2",
        "--tier", "leaves", "--workers", "1", "--out", "study",
    )  # fmt: skip
    assert results["finished"]
    assert results["best"]["test"]["accuracy"] > 0.7


def test_impossible_folds_and_seeds_are_refused(ripieno):
    write_table(ripieno.folder)
    data = ("tune", "rows.csv", "--target", "answer")
    assert "at least 2 folds" in ripieno.refused(*data, "--folds", "-3")
    assert "folds = 1000 needs 1000" in ripieno.refused(*data, "--folds", "1000")
    assert "seeds = 0 trains no model" in ripieno.refused(*data, "--seeds", "0")
    assert not (ripieno.folder / "ripieno-studies").exists()


def test_the_help_says_what_an_epoch_counts(ripieno):
    words = " ".join(ripieno("tune", "--help").stdout.replace("│", " ").split())
    assert "--folds" in words
    assert "An epoch of all of a trial's models counts as one" in words
