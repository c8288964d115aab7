"""Each worker sees GPUs of its own; the environment says which there are, as CUDA reads it."""

import os
import time

import pytest

from ripieno.executors import (
    Crew,
    ObjectiveRunner,
    ProcessExecutor,
    free_workers,
    has_driver,
    usable_cores,
)
from ripieno.executors.gpus import gpus_of_worker, usable_gpus
from ripieno.ledger import FileArtifacts
from ripieno.records import Config, Order, OutcomeStatus

# Who waits for whom, so that both workers have something to do; the one that dies for itself.
PARTNERS = {0.0: 1, 1.0: 0, 2.0: 2, 3.0: 4, 4.0: 3}


@pytest.mark.parametrize(
    ("said", "gpus"),
    [("0,1", ["0", "1"]), (" 3 , GPU-8a ", ["3", "GPU-8a"]), ("", []), ("-1", []),
     ("2,-1,3", ["2"])],
)  # fmt: skip
def test_what_the_environment_says_is_read_as_cuda_reads_it(monkeypatch, said, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert usable_gpus() == gpus


def test_without_a_word_the_driver_is_asked(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("ripieno.executors.gpus._DRIVER", tmp_path / "none")
    assert usable_gpus() == []
    for name in ("0000:17:00.0", "0000:65:00.0"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr("ripieno.executors.gpus._DRIVER", tmp_path)
    assert usable_gpus() == ["0", "1"]


@pytest.mark.parametrize(
    ("gpus", "workers", "shares"),
    [("0,1", 2, ["0", "1"]), ("0,1", 5, ["0", "1", "0", "1", "0"]),
     ("0,1,2,3,4", 2, ["0,2,4", "1,3"])],
)  # fmt: skip
def test_gpus_are_divided(monkeypatch, gpus, workers, shares):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    given = [gpus_of_worker(number, workers=workers) for number in range(workers)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in given] == shares
    most = max(shares.count(share) for share in shares)
    assert {each["RIPIENO_GPU_SHARERS"] for each in given} == {str(most)}


def test_one_worker_keeps_all_and_without_gpus_nothing_is_said(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert gpus_of_worker(0, workers=1) == {}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus_of_worker(1, workers=2) == {}


def test_workers_of_one_gpu_divide_its_memory(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert gpus_of_worker(1, workers=3, own=False) == {"RIPIENO_GPU_SHARERS": "3"}
    assert gpus_of_worker(0, workers=1, own=False) == {}


def test_a_driver_is_seen_by_its_files(monkeypatch, tmp_path):
    monkeypatch.setattr("ripieno.executors.gpus._SIGNS", (tmp_path / "none",))
    assert not has_driver()
    monkeypatch.setattr("ripieno.executors.gpus._SIGNS", (tmp_path / "none", tmp_path))
    assert has_driver()


def test_there_is_one_worker_for_each_gpu_and_each_group_of_them():
    assert [free_workers(devices, gpus=4) for devices in (1, 2, 3, 5)] == [4, 2, 1, 1]
    assert free_workers(1, gpus=0) == usable_cores()


@pytest.mark.parametrize("early", [False, True], ids=["late", "crew"])
def test_workers_share_a_gpu_that_is_named_by_its_number(monkeypatch, tmp_path, early):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")

    def objective(config):
        time.sleep(0.3)  # so that both workers have one
        return {"loss": float(os.environ["CUDA_VISIBLE_DEVICES"].replace(",", "."))}

    crew = Crew(2, device="cuda:1") if early else None
    executor = ProcessExecutor(
        ObjectiveRunner(objective, "loss"), FileArtifacts(tmp_path / "a"), workers=2, crew=crew,
        device="cuda:1",
    )  # fmt: skip
    try:
        executor.submit([Order(trial, Config({"x": float(trial)}), 0, 1) for trial in (0, 1)])
        outcomes = []
        while len(outcomes) < 2:
            outcomes += executor.collect(30)
        assert {outcome.metrics[0]["loss"] for outcome in outcomes} == {3.5}
    finally:
        executor.close()
        if crew is not None:
            crew.close()


@pytest.mark.parametrize("early", [False, True], ids=["late", "crew"])
def test_workers_see_each_their_own_and_one_that_follows_has_the_same(monkeypatch, tmp_path, early):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    met = tmp_path / "met"
    met.mkdir()

    def objective(config):
        if config.x == 2.0 and not (met / "died").exists():
            (met / "died").touch()
            os._exit(1)
        (met / f"{config.x:g}").touch()
        until = time.monotonic() + 30
        while not (met / f"{PARTNERS[config.x]:g}").exists() and time.monotonic() < until:
            time.sleep(0.01)
        return {"loss": float(os.environ["CUDA_VISIBLE_DEVICES"])}

    crew = Crew(2) if early else None
    executor = ProcessExecutor(
        ObjectiveRunner(objective, "loss"), FileArtifacts(tmp_path / "a"), workers=2, crew=crew
    )

    def seen(*trials):
        executor.submit([Order(trial, Config({"x": float(trial)}), 0, 1) for trial in trials])
        outcomes = []
        while len(outcomes) < len(trials):
            outcomes += executor.collect(30)
        assert all(outcome.status is OutcomeStatus.DONE for outcome in outcomes)
        return {outcome.metrics[0]["loss"] for outcome in outcomes}

    try:
        assert seen(0, 1) == {3.0, 5.0}
        assert seen(2) <= {3.0, 5.0}
        assert (met / "died").exists()
        assert seen(3, 4) == {3.0, 5.0}
    finally:
        executor.close()
        if crew is not None:
            crew.close()
