import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import ArtifactError, WorkerError
from ripieno.executors import TogetherRunner, free_workers, usable_cores
from ripieno.ledger import FileArtifacts, MemoryArtifacts
from ripieno.recipes import Data, Recipe, TrainerRunner
from ripieno.records import Config, Order, OutcomeStatus, hearing


class Odd(nn.Module):
    """A linear model that does something odd at the third batch that it sees."""

    def __init__(self, config, folder):
        super().__init__()
        self.line = nn.Linear(4, 2)
        self.config, self.folder, self.calls = config, folder, 0
        rank = torch.distributed.get_rank()
        (folder / f"{config['act']}-{rank}").write_text(str(os.getpid()))
        if config["act"] == "build":
            raise ValueError("no such layer")

    def forward(self, x):
        self.calls += self.training
        if self.calls == 3 and torch.distributed.get_rank() == 1:
            match self.config["act"]:
                case "raise":
                    raise ValueError("the third batch is bad")
                case "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "hang":
                    time.sleep(60)
                case "nan":
                    return self.line(x) * float("nan")
        if self.config["act"] == "slow":
            time.sleep(0.05)
            (self.folder / "calls").write_text(str(self.calls))
        return self.line(x)


@pytest.fixture(scope="module")
def data():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(100, 4)).astype(np.float32)
    return Data.from_arrays(x, (x[:, 0] > 0).astype(np.int64), test_share=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def runner(data, folder):
    """One runner for all: each test also finds it usable after the last one's accident."""
    recipe = Recipe(partial(Odd, folder=folder), epochs=50)
    return TogetherRunner(TrainerRunner(recipe, data), 2, patience_seconds=6.0)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    return FileArtifacts(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def run(runner, artifacts):
    def run(act, *, stop=lambda: False, epochs=4, artifacts=artifacts):
        order = Order(0, Config({"act": act, "batch_size": 40}), 0, epochs)
        (outcome,) = runner.run([order], artifacts, stop)
        return outcome

    return run


def is_alive(pid):
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pids(folder, act):
    return [int((folder / f"{act}-{rank}").read_text()) for rank in range(2)]


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_processes_serve_one_order_after_the_other(run, folder):
    outcome = run("plain")
    assert (outcome.status, outcome.notes) == (OutcomeStatus.DONE, "2 processes together")
    first = pids(folder, "plain")
    assert run("other").status is OutcomeStatus.DONE
    assert pids(folder, "other") == first
    assert len({os.getpid(), *first}) == 3


def test_a_process_that_died_while_idle_is_no_fault_of_the_next_order(run, folder):
    run("plain")
    first = pids(folder, "plain")
    os.kill(first[1], signal.SIGKILL)
    # Its first thread is gone before the others are, and until then it has not ended.
    threads = Path(f"/proc/{first[1]}/task")
    assert wait_until(lambda: not is_alive(first[1]) and len(list(threads.iterdir())) == 1)
    assert run("other").status is OutcomeStatus.DONE
    assert not set(first) & set(pids(folder, "other"))
    assert not is_alive(first[0])


def test_a_failure_that_all_met_is_told_once_and_ends_no_process(run, folder):
    outcome = run("build")
    assert outcome.status is OutcomeStatus.FAILED
    assert "no such layer" in outcome.error
    assert "process" not in outcome.error
    assert all(map(is_alive, pids(folder, "build")))


def test_a_number_that_is_not_finite_in_one_process_diverges_the_trial(run, folder):
    outcome = run("nan")
    assert outcome.status is OutcomeStatus.DIVERGED
    assert "the training loss was nan in epoch 2, step 1 of 2" in outcome.error
    assert len(outcome.metrics) == 1
    assert all(map(is_alive, pids(folder, "nan")))


def test_an_error_in_one_process_is_the_outcome_and_ends_the_others(run, folder):
    outcome = run("raise")
    assert outcome.status is OutcomeStatus.FAILED
    assert "the third batch is bad" in outcome.error
    assert "In process 2 of 2; process 1 gave no answer and was ended." in outcome.error
    assert not any(map(is_alive, pids(folder, "raise")))


def test_a_process_that_is_killed_is_the_outcome_and_ends_the_others(run, folder):
    outcome = run("die")
    assert outcome.status is OutcomeStatus.FAILED
    assert outcome.error == "process 2 of the 2 that trained it together died (signal 9)"
    assert not any(map(is_alive, pids(folder, "die")))


def test_a_process_that_hangs_is_ended(run, folder):
    begin = time.monotonic()
    outcome = run("hang")
    assert outcome.status is OutcomeStatus.FAILED
    assert "In process 1 of 2; process 2 gave no answer and was ended." in outcome.error
    assert time.monotonic() - begin < 30
    assert not any(map(is_alive, pids(folder, "hang")))


def test_a_stop_is_heard_by_all_at_the_same_step_and_epochs_are_told_once(run, folder, artifacts):
    calls = folder / "calls"

    def stop():
        return calls.exists() and int(calls.read_text() or 0) > 14

    heard = []
    with hearing(lambda trial, epochs: heard.append((trial, epochs))):
        outcome = run("slow", stop=stop, epochs=50)
    assert heard
    assert heard == sorted(set(heard))
    assert heard[-1] <= (0, outcome.reached)
    assert outcome.status is OutcomeStatus.STOPPED
    assert 0 < outcome.reached < 50
    _, facts = artifacts.read(outcome.state)
    assert facts["epoch"] == outcome.reached


def test_an_order_is_stored_where_it_says_whatever_the_last_one_said(run, artifacts, tmp_path):
    run("plain")
    elsewhere = FileArtifacts(tmp_path)
    assert elsewhere.read(run("plain", artifacts=elsewhere).state)
    assert artifacts.read(run("plain").state)


def test_a_store_in_memory_is_refused_with_a_way_out(run):
    with pytest.raises(ArtifactError, match=r"(?s)cannot store states.*devices=1"):
        run("plain", artifacts=MemoryArtifacts())


def test_what_cannot_be_sent_says_so(data, tmp_path):
    handle = (tmp_path / "open").open("w")
    recipe = Recipe(lambda config: handle.name)
    runner = TogetherRunner(TrainerRunner(recipe, data), 2)
    with handle, pytest.raises(WorkerError, match="cannot be sent to the processes of a trial"):
        next(runner.run([Order(0, Config({}), 0, 1)], FileArtifacts(tmp_path), lambda: False))


@pytest.mark.parametrize("devices", [0, -1, 1.5, True])
def test_a_number_of_devices_that_is_none_is_refused(data, devices):
    runner = TrainerRunner(Recipe(lambda config: nn.Linear(4, 2)), data)
    with pytest.raises(WorkerError, match="can train no trial"):
        TogetherRunner(runner, devices)


def test_workers_are_as_many_as_the_cores_are_enough_for():
    cores = usable_cores()
    assert free_workers(1) == cores
    assert free_workers(cores) == free_workers(2 * cores) == 1
    with pytest.raises(WorkerError, match="devices = 'two' can train no trial"):
        free_workers("two")


def test_the_processes_end_with_the_runner(data, tmp_path):
    recipe = Recipe(partial(Odd, folder=tmp_path), epochs=2)
    runner = TogetherRunner(TrainerRunner(recipe, data), 2)
    order = Order(0, Config({"act": "plain"}), 0, 1)
    next(runner.run([order], FileArtifacts(tmp_path / "a"), lambda: False))
    assert all(map(is_alive, pids(tmp_path, "plain")))
    del runner
    assert not any(map(is_alive, pids(tmp_path, "plain")))


def test_the_processes_of_a_worker_end_when_the_study_is_killed(tmp_path):
    script = tmp_path / "study.py"
    script.write_text(
        textwrap.dedent("""
            import os, pathlib, sys, time
            import numpy as np, torch
            from torch import nn
            from ripieno.executors import ProcessExecutor, TogetherRunner
            from ripieno.ledger import FileArtifacts
            from ripieno.recipes import Data, Recipe, TrainerRunner
            from ripieno.records import Config, Order

            folder = pathlib.Path(sys.argv[1])

            class Slow(nn.Linear):
                def forward(self, x):
                    rank = torch.distributed.get_rank()
                    (folder / f"slow-{rank}").write_text(str(os.getpid()))
                    time.sleep(1.0)
                    return super().forward(x)

            x = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
            data = Data.from_arrays(x, (x[:, 0] > 0).astype(np.int64), test_share=0)
            runner = TrainerRunner(Recipe(lambda config: Slow(4, 2), epochs=1000), data)
            executor = ProcessExecutor(
                TogetherRunner(runner, 2), FileArtifacts(folder / "a"), workers=1
            )
            executor.submit([Order(0, Config({}), 0, 1000)])
            executor.collect()
        """)
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    study = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment)
    files = [tmp_path / f"slow-{rank}" for rank in range(2)]
    assert wait_until(lambda: all(file.exists() and file.read_text() for file in files), 60.0)
    study.kill()
    study.wait()
    assert wait_until(lambda: not any(map(is_alive, pids(tmp_path, "slow"))))
    assert wait_until(lambda: not list((tmp_path / "tmp").glob("ripieno-*")))
