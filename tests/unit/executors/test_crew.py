import os

import numpy as np
import pytest

from ripieno.errors import WorkerError
from ripieno.executors import Crew, ObjectiveRunner, ProcessExecutor, gather
from ripieno.executors.spawning import spawn
from ripieno.ledger import MemoryArtifacts
from ripieno.records import Config, Order

LARGE = np.arange(300_000.0)


def outcome(objective, crew):
    executor = ProcessExecutor(
        ObjectiveRunner(objective, "loss"), MemoryArtifacts(), workers=crew.count, crew=crew
    )
    try:
        executor.submit([Order(0, Config({"x": 1.0}), 0, 1)])
        return executor.collect(60.0)[0]
    finally:
        executor.close()


def test_a_process_that_began_before_does_the_work():
    with Crew(1) as crew:
        ((_, process),) = crew._waiting  # noqa: SLF001 - nothing else knows
        pid = process.pid
        assert outcome(lambda config: os.getpid(), crew).metrics == ({"loss": pid},)
        assert crew.take() is None


def test_what_is_large_reaches_a_process_that_began_before_it_was_known():
    with Crew(1) as crew:
        found = outcome(lambda config: float(LARGE.sum()), crew)
    assert found.metrics == ({"loss": LARGE.sum()},)


def test_modules_are_loaded_while_it_waits_and_one_that_fails_is_let_be():
    def objective(config):
        import sys

        return float("wave" in sys.modules)

    with Crew(1, loads=("wave", "no_such_module")) as crew:
        assert outcome(objective, crew).metrics == ({"loss": 1.0},)


def test_processes_that_nobody_took_end_with_their_crew():
    crew = Crew(2)
    waiting = [process for _, process in crew._waiting]  # noqa: SLF001 - nothing else knows
    crew.close()
    crew.close()
    assert all(process.poll() is not None for process in waiting)
    assert crew.take() is None


def test_a_crew_that_cannot_be_completed_leaves_no_process_behind(monkeypatch):
    started = []

    def spawn_once(*arguments, **options):
        if started:
            raise WorkerError("no more.", where="here", fix="use fewer.")
        started.append(spawn(*arguments, **options))
        return started[0]

    monkeypatch.setattr("ripieno.executors.crew.spawn", spawn_once)
    with pytest.raises(WorkerError, match="no more"):
        Crew(2)
    assert started[0].poll() is not None


@pytest.mark.parametrize("workers", [1, 0])
def test_one_worker_or_none_are_no_crew(workers):
    with gather(workers) as same:
        assert same == workers


def test_a_crew_is_gathered_once():
    with gather(2) as crew, gather(crew) as same:
        assert isinstance(crew, Crew)
        assert crew.count == 2
        assert same is crew
