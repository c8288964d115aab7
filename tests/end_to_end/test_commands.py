"""The commands of the README, from raw data to predictions."""

import csv
import io
import json
import signal
import time

import numpy as np
import pytest

SMALL = ("--trials", "9", "--epochs", "3", "--recipe", "mlp")


def table(ripieno, folder):
    """The trial table of a study, without the times."""
    import ripieno as rp

    with rp.open(ripieno.folder / folder, read_only=True) as study:
        frame = study.to_dataframe()
    return frame.drop(columns="seconds")


def test_tune_leaves_results_a_report_and_an_ensemble(ripieno):
    results = ripieno.json("tune", "digits", *SMALL, "--out", "study")
    assert results["trials"] == 9
    assert results["finished"]
    assert results["out"] == "study"
    assert set(results["best"]) == {"trial", "config", "validation", "test"}
    assert 0.5 < results["best"]["test"]["accuracy"] <= 1.0
    assert sum(results["ensemble"]["weights"]) == pytest.approx(1.0, abs=1e-4)
    assert len(results["ensemble"]["members"]) == len(results["ensemble"]["weights"])
    # Equal but for the rounding of stored predictions, where the best trial is all of it.
    best = results["best"]["validation"]["log_loss"]
    assert results["ensemble"]["validation"]["log_loss"] <= best + 1e-6
    assert "plotly" in (ripieno.folder / "study" / "report.html").read_text()
    assert ripieno.json("show", "study") == results
    first = ripieno.json("show", "study", "--trial", "0")
    assert (first["trial"], first["status"]) == (0, "paused")
    assert "there is no trial 9." in ripieno.refused("show", "study", "--trial", "9")


def test_the_first_trial_is_the_default_config(ripieno):
    import ripieno as rp

    ripieno("tune", "digits", *SMALL, "--out", "study")
    with rp.open(ripieno.folder / "study") as study:
        assert study.trials[0].config == study.space.default()


def test_two_runs_with_the_same_seed_give_the_same_table(ripieno):
    ripieno("tune", "digits", *SMALL, "--tier", "loop", "--out", "a", "--workers", "2")
    ripieno("tune", "digits", *SMALL, "--tier", "loop", "--out", "b", "--workers", "1")
    assert table(ripieno, "a").equals(table(ripieno, "b"))


@pytest.mark.slow
def test_a_run_killed_three_times_gives_the_same_table(ripieno):
    arguments = (
        "tune",
        "digits",
        "--trials",
        "14",
        "--epochs",
        "9",
        "--recipe",
        "mlp",
        "--tier",
        "loop",
    )
    ripieno(*arguments, "--out", "whole")
    rng = np.random.default_rng(0)
    killed = ripieno.start(*arguments, "--out", "killed")
    for _ in range(3):
        wait_for_trials(ripieno, "killed")
        time.sleep(float(rng.uniform(0.2, 1.5)))
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        killed = ripieno.start("resume", "killed")
    killed.communicate(timeout=120)
    assert killed.returncode == 0
    assert table(ripieno, "killed").equals(table(ripieno, "whole"))


def wait_for_trials(ripieno, folder):
    """Wait until the study has recorded something, so that a kill has something to lose."""
    import ripieno as rp

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (ripieno.folder / folder / "study.db").exists():
            try:
                with rp.open(ripieno.folder / folder, read_only=True) as study:
                    if study.trials:
                        return
            except rp.RipienoError:
                pass  # the study is being created at this moment
        time.sleep(0.05)
    raise AssertionError("the study recorded nothing in a minute")


def test_ctrl_c_stops_cleanly_and_says_how_to_resume(ripieno):
    process = ripieno.start("tune", "digits", "--epochs", "27", "--minutes", "5", "--out", "study")
    wait_for_trials(ripieno, "study")
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "ripieno resume study" in err
    assert "Traceback" not in err
    assert len(table(ripieno, "study"))


def test_a_time_budget_is_kept_and_can_be_extended(ripieno):
    first = ripieno.json("tune", "digits", "--minutes", "0.25", "--recipe", "mlp", "--out", "study")
    assert first["trials"] > 0
    assert first["ensemble"]["test"]
    again = ripieno.json("resume", "study", "--minutes", "0.25")
    assert again["epochs"] > first["epochs"]


def test_csv_from_raw_file_to_predictions(ripieno):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    label = np.where(x[:, 0] + x[:, 1] > 0, "yes", "no")
    lines = [f"{a},{b},{c},{y}" for (a, b, c), y in zip(x, label, strict=True)]
    (ripieno.folder / "rows.csv").write_text("\n".join(["u,v,w,answer", *lines]))
    ripieno("tune", "rows.csv", "--target", "answer", *SMALL, "--out", "study")
    (ripieno.folder / "new.csv").write_text("w,v,u\n0,2,2\n0,-2,-2\n")
    rows = list(csv.DictReader(io.StringIO(ripieno("predict", "study", "new.csv").stdout)))
    assert [row["prediction"] for row in rows] == ["yes", "no"]
    assert float(rows[0]["probability_yes"]) > 0.8
    ripieno("predict", "study", "new.csv", "--out", "out.npz")
    with np.load(ripieno.folder / "out.npz") as stored:
        assert stored["prediction"].tolist() == ["yes", "no"]
        assert stored["probabilities"].shape == (2, 2)


def test_a_users_own_model_and_data(ripieno):
    (ripieno.folder / "mine.py").write_text(
        "import numpy as np\nimport ripieno as rp\nfrom torch import nn\n\n\n"
        "def rows():\n"
        "    rng = np.random.default_rng(0)\n"
        "    x = rng.normal(size=(200, 2)).astype('float32')\n"
        "    return x, (x[:, 0] > 0).astype(int)\n\n\n"
        "def build(config):\n"
        "    return nn.Sequential(nn.Linear(2, config.hidden), nn.Tanh(),"
        " nn.Linear(config.hidden, 2))\n\n\n"
        "space = rp.Space(hidden=rp.Int(2, 8), lr=rp.Float(1e-3, 1e-1, log=True))\n"
        "recipe = rp.Recipe(model=build, space=space)\n"
    )
    results = ripieno.json(
        "tune", "mine.py:rows", "--recipe", "mine.py:recipe", "--trials", "9", "--epochs", "9",
        "--out", "study",
    )  # fmt: skip
    assert results["best"]["test"]["accuracy"] > 0.8
    np.savez(ripieno.folder / "new.npz", x=np.array([[3.0, 0.0], [-3.0, 0.0]], dtype=np.float32))
    rows = list(csv.DictReader(io.StringIO(ripieno("predict", "study", "new.npz").stdout)))
    assert [row["prediction"] for row in rows] == ["1", "0"]


def test_a_model_that_fails_is_recorded_and_the_search_goes_on(ripieno):
    (ripieno.folder / "mine.py").write_text(
        "import ripieno as rp\nfrom torch import nn\n\n\n"
        "def build(config):\n"
        "    if config.hidden == 3:\n"
        "        raise ValueError('three is a bad number')\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, config.hidden), nn.ReLU(),"
        " nn.Linear(config.hidden, 10))\n\n\n"
        "recipe = rp.Recipe(model=build, space=rp.Space(hidden=rp.Int(2, 4),"
        " lr=rp.Float(1e-3, 1e30, log=True)))\n"
    )
    ripieno("tune", "digits", "--recipe", "mine.py:recipe", "--trials", "9", "--epochs", "3",
            "--out", "study")  # fmt: skip
    frame = table(ripieno, "study")
    assert set(frame.status) == {"paused", "failed", "diverged"}


def test_version_and_help_teach(ripieno):
    assert ripieno("--version").stdout.startswith("ripieno 0.")
    text = ripieno("tune", "--help").stdout
    for word in ("digits", "--scheduler", "--minutes", "--json", "FILE.py:NAME"):
        assert word in text
    assert "predict" in ripieno("--help").stdout


def test_json_is_one_object_on_standard_output(ripieno):
    done = ripieno("tune", "digits", *SMALL, "--json")
    assert json.loads(done.stdout)["out"].startswith("ripieno-studies")
    assert "best log_loss" in done.stderr
