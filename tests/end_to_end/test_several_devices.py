"""Trials that are each trained by two processes, from the data to the ensemble."""

import signal
import time
from pathlib import Path

import numpy as np
import pytest

import ripieno as rp
from ripieno.errors import WorkerError


def started_by(pid):
    """The processes that a process started, and those that these did."""
    children = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            child = int(path.parent.name)
            children += [child, *started_by(child)]
    return children


def is_alive(pid):
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=150.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def test_tune_with_two_devices_gives_the_trials_of_one_and_an_ensemble(tmp_path):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 4)).astype(np.float32)
    data = (x, (x[:, 0] * x[:, 1] > 0).astype(np.int64))
    options = {"trials": 3, "epochs": 2, "scheduler": "full", "seed": 1, "progress": False}
    one = rp.tune("mlp", data, workers=1, tier="loop", out=tmp_path / "one", **options)
    two = rp.tune("mlp", data, devices=2, out=tmp_path / "two", **options)
    assert two.settings.devices == 2
    assert [trial.config for trial in two.trials] == [trial.config for trial in one.trials]
    for mine, other in zip(two.trials, one.trials, strict=True):
        assert mine.metrics == pytest.approx(dict(other.metrics), rel=1e-3)
    members = two.ensemble()
    raw = x[:7]
    np.testing.assert_allclose(
        members.predict_proba(raw), one.ensemble().predict_proba(raw), atol=1e-3
    )
    # What two processes began, one goes on with.
    more = rp.open(tmp_path / "two", model="mlp", data=data)
    more.run(trials=4, devices=1, workers=1, progress=False)
    assert len(more.trials) == 4
    assert more.results().ensemble is not None


MODEL = """
from pathlib import Path
from torch import nn
import ripieno as rp


class Counting(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        Path("calls").write_text(str(self.calls))
        return self.layers(x)


recipe = rp.Recipe(Counting, space=rp.Space(lr=rp.Float(0.001, 0.1)), epochs=60)
"""


def test_ctrl_c_ends_all_processes_and_the_trial_goes_on_with_one(ripieno):
    (ripieno.folder / "slow.py").write_text(MODEL)
    calls = ripieno.folder / "calls"
    asked = ("--recipe", "slow.py:recipe", "--trials", "1", "--scheduler", "full")
    # A patience of its own puts the two processes under a worker.
    hosted = ("--devices", "2", "--workers", "1", "--order-minutes", "5")
    process = ripieno.start("tune", "digits", *asked, "--epochs", "60", *hosted, "--out", "a")
    assert wait_until(lambda: calls.exists() and int(calls.read_text() or 0) > 200)
    started = started_by(process.pid)
    assert len(started) == 3
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Go on with: ripieno resume a" in err
    assert wait_until(lambda: not any(map(is_alive, started)))
    begun = ripieno.json("show", "a")["epochs"]
    assert 0 < begun < 60
    results = ripieno.json("resume", "a", "--devices", "1", "--workers", "1")
    assert (results["epochs"], results["finished"]) == (60, True)


def test_a_number_of_devices_that_is_none_is_refused(ripieno):
    with pytest.raises(WorkerError, match="devices = 0 can train no trial"):
        rp.tune("mlp", "digits", devices=0, out=":memory:")
    said = ripieno("tune", "digits", "--devices", "0", code=2).stderr
    assert "Invalid value for '--devices'" in said
