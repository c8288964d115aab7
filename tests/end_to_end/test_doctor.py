"""The doctor from the command line, on data and on a study."""

import json

import numpy as np

MODEL = """
import ripieno as rp
from torch import nn

def recipe(data):
    return rp.Recipe(
        lambda config: nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2)),
        space=rp.Space(lr=rp.Float(1e-3, 0.1, log=True, default=0.01)),
        epochs=6,
    )

def spaceless(data):
    return rp.Recipe(lambda config: nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=1)))
"""


def write(folder):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4)).astype(np.float32)
    np.savez(folder / "rows.npz", x_train=x, y_train=(x.sum(axis=1) > 0).astype(int))
    (folder / "model.py").write_text(MODEL)


def test_a_fault_is_named_with_what_to_do_and_the_range_test_is_drawn(ripieno):
    write(ripieno.folder)
    arguments = ("doctor", "rows.npz", "--recipe", "model.py:spaceless", "--out", "lr.html")
    done = ripieno(*arguments)
    assert "warning (wrong_loss): The model returns probabilities" in done.stdout
    assert "  do: Let the last layer be linear" in done.stdout
    assert "looking at: learning-rate range test" in done.stderr
    assert "plotly" in (ripieno.folder / "lr.html").read_text()
    found = ripieno.json(*arguments)
    assert [finding["kind"] for finding in found["findings"]] == ["wrong_loss"]


def test_a_study_is_examined_at_its_best_trial_and_its_report_says_so(ripieno):
    write(ripieno.folder)
    ripieno(
        "tune", "rows.npz", "--recipe", "model.py:recipe", "--trials", "3", "--epochs", "3",
        "--scheduler", "full", "--out", "study",
    )  # fmt: skip
    page = ripieno.folder / "study" / "report.html"
    assert 'id="learning-rate-range"' not in page.read_text()
    found = ripieno.json("doctor", "study")
    assert found == json.loads((ripieno.folder / "study" / "diagnosis.json").read_text())
    best = ripieno.json("show", "study")["best"]
    assert found["measured"]["trial"] == best["trial"]
    assert found["measured"]["lr"] == best["config"]["lr"]
    assert 'id="learning-rate-range"' in page.read_text()


def test_what_cannot_be_examined_is_told_in_three_parts(ripieno):
    write(ripieno.folder)
    assert "nowhere.npz" in ripieno.refused("doctor", "nowhere.npz")
    ripieno(
        "tune", "rows.npz", "--recipe", "model.py:recipe", "--trials", "1", "--epochs", "1",
        "--out", "study",
    )  # fmt: skip
    assert "--target 'y'" in ripieno.refused("doctor", "study", "--target", "y")


def test_data_are_read_for_it_as_a_search_reads_them(ripieno):
    rng = np.random.default_rng(0)
    lines = [
        f"{a:.4f},{a + 0.1 * b:.4f},2024-01-{i % 28 + 1:02d},{i // 3}"
        for i, (a, b) in enumerate(rng.normal(size=(150, 2)))
    ]
    (ripieno.folder / "rows.csv").write_text("\n".join(["x,price,day,house", *lines]))
    options = ("doctor", "rows.csv", "--target", "price", "--drop", "house", "--time", "day")
    found = ripieno.json(
        *options, "--task", "regression", "--set", "lr=3", "--set", "optimizer=sgd"
    )
    assert "learning_rate_too_high" in {finding["kind"] for finding in found["findings"]}
    assert found["measured"]["lr"] == 3.0
    assert "holds dates" in ripieno.refused("doctor", "rows.csv", "--target", "price")
    message = ripieno.refused(*options, "--class-weights", "balanced")
    assert "there are no classes to weigh" in message
