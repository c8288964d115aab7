"""The same command, given several times, works on one study."""

import json
import os
import subprocess
import sys
import time
import uuid

import numpy as np
import pytest

import ripieno as rp

OBJECTIVE = """
import os, time
import ripieno as rp

def objective(config, report):
    for epoch in range(report.start + 1, report.epochs + 1):
        time.sleep(0.1)
        report.save(epoch=epoch, seen=epoch)
        report(epoch=epoch, loss=(config["x"] - 0.3) ** 2 + 1.0 / epoch)

if __name__ == "__main__":
    study = rp.search(
        objective, rp.Space(x=rp.Float(0.0, 1.0)), metric="loss", scheduler="hyperband",
        trials=49, epochs=27, workers=2, out="study", progress=True,
    )
    print(study.helped, study.finished)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 6)).astype(np.float32)
    file = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(file, x_train=x, y_train=(x[:, 0] + x[:, 1] > 0).astype(np.int64))
    return file


@pytest.fixture
def start(tmp_path):
    begun = []

    def start(arguments, *, folder=tmp_path, **more):
        begun.append(
            subprocess.Popen(
                [sys.executable, *arguments],
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1", **more},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def wait_for(path, seconds=60):
    deadline = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert path.exists()


def test_the_same_tune_twice_is_one_study(start, data, tmp_path):
    command = [
        "-c", "from ripieno.cli import main; main()", "tune", str(data),
        "--trials", "12", "--epochs", "9", "--seed", "0",
        "--tier", "loop", "--workers", "2", "--out", "study", "--json",
    ]  # fmt: skip
    both = [start(command) for _ in range(2)]
    said = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    helped, led = sorted((json.loads(out) for out, _ in said), key=lambda r: "trials" in r)
    assert (led["trials"], led["finished"]) == (12, True)
    assert set(helped) == {"helped", "out"}
    assert "which leads this study" in "".join(err for _, err in said)
    with rp.open(tmp_path / "study", read_only=True) as shared:
        found = [(t.id, t.config, t.history) for t in shared.trials]
    alone = start([*command[:-2], "alone", "--json"])
    alone.communicate(timeout=240)
    assert alone.returncode == 0
    with rp.open(tmp_path / "alone", read_only=True) as study:
        assert [(t.id, t.config, t.history) for t in study.trials] == found


def test_a_helper_leads_on_when_the_leader_is_stopped(start, tmp_path):
    (tmp_path / "program.py").write_text(OBJECTIVE)
    leader = start(["program.py"])
    wait_for(tmp_path / "study" / "study.db")
    helper = start(["program.py"])
    for line in helper.stderr:
        if "which leads this study" in line:
            break
    leader.terminate()
    leader.wait(60)
    out, _ = helper.communicate(timeout=120)
    assert out.split() == ["None", "True"]


@pytest.fixture
def machines(tmp_path, postgres_server):
    """Two folders, a program, and the addresses of a database and of a place for arrays."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "program.py").write_text(
            OBJECTIVE.replace('out="study"', 'out="study", storage=STORAGE, artifacts=ARTIFACTS')
            .replace("import os, time", "import os, sys, time")
            .replace("def objective", "STORAGE, ARTIFACTS = sys.argv[1:3]\n\ndef objective")
        )
    storage = postgres_server.url(f"machines_{uuid.uuid4().hex}")
    return folders, [storage, f"file://{tmp_path}/place"]


def test_machines_that_share_no_folder_work_on_one_study(start, machines, tmp_path):
    folders, addresses = machines
    both = [start(["program.py", *addresses], folder=folder) for folder in folders]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    (helped, _), led = sorted(
        (out.split() for out, _ in said), key=lambda words: words[0] == "None"
    )
    assert int(helped) > 0
    assert led == ["None", "True"]
    tables = []
    for folder in folders:
        assert {"storage.json", "artifacts.json"} <= {p.name for p in (folder / "study").iterdir()}
        with rp.open(folder / "study", read_only=True) as study:
            states = [study.artifacts.read(trial.state)[0] for trial in study.trials]
            assert [int(state["seen"]) for state in states] == [t.epochs for t in study.trials]
            tables.append([(t.id, t.config, t.history) for t in study.trials])
    assert tables[0] == tables[1]
    assert len(tables[0]) == 49


def test_a_machine_goes_on_with_a_study_of_one_that_died(start, machines, tmp_path):
    folders, (storage, artifacts) = machines
    first = start(["program.py", storage, artifacts], folder=folders[0])
    wait_for(tmp_path / "place")
    time.sleep(2.0)
    first.kill()
    first.wait(60)
    again = start(["program.py", storage, artifacts], folder=folders[1])
    _, refused = again.communicate(timeout=120)
    assert "arrays of a study lie there already" in refused
    code = (
        f"import ripieno as rp, sys; sys.argv[1:] = ['', '']; from program import objective;"
        f"s = rp.open('study', objective=objective, storage={storage!r}, artifacts={artifacts!r});"
        "s.run(workers=1); print(s.helped, s.finished, len(s.trials))"
    )
    other = start(["-c", code], folder=folders[1])
    out, err = other.communicate(timeout=240)
    assert out.split() == ["None", "True", "49"], err


def test_a_study_that_is_opened_while_somebody_leads_is_helped(start, tmp_path):
    (tmp_path / "program.py").write_text(OBJECTIVE)
    leader = start(["program.py"])
    wait_for(tmp_path / "study" / "study.db")
    code = (
        "import ripieno as rp; from program import objective;"
        "s = rp.open('study', objective=objective); s.run(workers=1); print(s.helped)"
    )
    helper = start(["-c", code])
    out, _ = helper.communicate(timeout=120)
    assert int(out) > 0
    leader_said, _ = leader.communicate(timeout=60)
    assert leader_said.split() == ["None", "True"]


def test_what_a_joining_command_wishes_is_said_to_be_passed_over(start, tmp_path):
    (tmp_path / "program.py").write_text(OBJECTIVE)
    wishing = OBJECTIVE.replace("workers=2,", "workers=2, enqueue=[{'x': 0.5}],")
    (tmp_path / "wishing.py").write_text(wishing)
    leader = start(["program.py"])
    wait_for(tmp_path / "study" / "study.db")
    helper = start(["wishing.py"])
    out, err = helper.communicate(timeout=120)
    assert "are not looked at" in err
    assert int(out.split()[0]) > 0
    said, _ = leader.communicate(timeout=60)
    assert said.split() == ["None", "True"]
