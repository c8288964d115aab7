"""Actors on a real cluster: two machines with one core each, which are processes here."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import ray_cluster
from ripieno.errors import WorkerError
from ripieno.executors import ObjectiveRunner, RayExecutor
from ripieno.ledger import FileArtifacts, MemoryArtifacts
from ripieno.records import Config, Order, Outcome, OutcomeStatus

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster.cluster() as made:
        yield made


@pytest.fixture
def start(cluster, tmp_path):
    """Make an executor of a function, or of a runner, on the cluster."""
    made = []

    def start(what, artifacts=None, **options):
        runner = ObjectiveRunner(what, "loss") if callable(what) else what
        made.append(RayExecutor(runner, artifacts or FileArtifacts(tmp_path / "a"), **options))
        return made[-1]

    yield start
    for executor in made:
        executor.close()


def order(trial, stop=1):
    return Order(trial, Config({"x": float(trial)}), 0, stop)


def collect(executor, count, seconds=60.0):
    """So many outcomes, by trial."""
    outcomes, end = [], time.monotonic() + seconds
    while len(outcomes) < count and time.monotonic() < end:
        outcomes += executor.collect(1.0)
    return sorted(outcomes, key=lambda outcome: outcome.order.trial)


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says where memory lies")
def test_data_lie_in_the_store_once_and_each_actor_keeps_what_it_writes(
    start, monkeypatch, tmp_path
):
    import ray

    put = []
    monkeypatch.setattr(ray, "put", lambda value, do=ray.put: put.append(value) or do(value))
    data, met = np.zeros(2**20), tmp_path / "met"
    met.mkdir()

    def objective(config):
        address = data.__array_interface__["data"][0]
        for line in Path("/proc/self/maps").read_text().splitlines():
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if begin <= address < end:
                shared = "plasma" in line and line.split()[1] == "rw-p"
        before = float(data.sum())
        data[:] = config.x
        (met / f"{config.x}").touch()
        end = time.monotonic() + 60
        while len(list(met.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        own = float(data.mean())
        machine = int(os.environ["RAY_RAYLET_PID"])
        return {"loss": before, "own": own, "shared": shared, "machine": machine}

    executor = start(objective)
    assert executor.slots == 2
    executor.submit([order(1), order(2)])
    first, second = (outcome.metrics[0] for outcome in collect(executor, 2))
    assert first["machine"] != second["machine"]
    assert (first["loss"], first["own"], first["shared"]) == (0.0, 1.0, 1.0)
    assert (second["loss"], second["own"], second["shared"]) == (0.0, 2.0, 1.0)
    assert len(put) == 1
    assert data.sum() == 0.0


def test_an_actor_computes_on_one_thread_where_the_driver_is(start, tmp_path, monkeypatch):
    (tmp_path / "neighbor_of_ray.py").write_text("def half(x):\n    return x / 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    import neighbor_of_ray

    def objective(config):
        one = [os.environ[f"{name}_NUM_THREADS"] == "1" for name in ("OMP", "MKL", "OPENBLAS")]
        here = Path.cwd() == tmp_path
        return {"loss": neighbor_of_ray.half(config.x), "threads": all(one), "here": here}

    executor = start(objective)
    executor.submit([order(3)])
    (outcome,) = collect(executor, 1)
    assert outcome.metrics == ({"loss": 1.5, "threads": 1.0, "here": 1.0},)


@dataclass(frozen=True)
class OneByOne:
    """Gives its second outcome when it is told that the first one has arrived."""

    arrived: Path
    width: int = 2

    def group(self, order):
        return ""

    def run(self, orders, artifacts, stop):
        for each in orders:
            yield Outcome(each, OutcomeStatus.DONE, metrics=({"loss": 0.0},))
            while not self.arrived.exists():
                time.sleep(0.02)


def test_outcomes_of_a_population_come_back_one_by_one(start, tmp_path):
    executor = start(OneByOne(tmp_path / "arrived"), workers=1)
    executor.submit([order(0), order(1)])
    (first,) = collect(executor, 1)
    (tmp_path / "arrived").touch()
    (second,) = collect(executor, 1)
    assert {first.order.trial, second.order.trial} == {0, 1}


def test_an_order_whose_actor_is_killed_goes_out_again_and_fails_the_second_time(start, tmp_path):
    def objective(config):
        mark = tmp_path / f"died-{config.x}"
        if config.x == 2.0 or (config.x == 1.0 and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return config.x

    executor = start(objective)
    executor.submit([order(trial) for trial in range(4)])
    outcomes = collect(executor, 4)
    status = [outcome.status for outcome in outcomes]
    assert status == [OutcomeStatus.DONE] * 2 + [OutcomeStatus.FAILED, OutcomeStatus.DONE]
    assert "died" in outcomes[2].error
    assert "twice while training it" in outcomes[2].error


def test_an_order_that_hangs_is_ended_twice_and_fails(start):
    def objective(config):
        if config.x == 1.0:
            time.sleep(600)
        return config.x

    executor = start(objective, silence_seconds=1.0)
    executor.submit([order(0), order(1)])
    done, hung = collect(executor, 2)
    assert done.status is OutcomeStatus.DONE
    assert hung.status is OutcomeStatus.FAILED
    assert "ended after 1 s of silence" in hung.error


def test_a_machine_that_leaves_costs_no_order_and_one_that_joins_gets_some(
    start, cluster, tmp_path
):
    (other,) = cluster.worker_nodes
    go = tmp_path / "go"

    def objective(config):
        (tmp_path / f"begun-{config.x}-{os.getpid()}").touch()
        while not go.exists():
            time.sleep(0.02)
        return float(os.environ["RAY_RAYLET_PID"])

    executor = start(objective)
    executor.submit([order(0), order(1)])
    assert wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == 2)
    cluster.remove_node(other, allow_graceful=False)
    assert wait_until(lambda: executor.slots == 0 and executor._places() == 1)  # noqa: SLF001
    go.touch()
    first, second = collect(executor, 2)
    assert (first.status, second.status) == (OutcomeStatus.DONE, OutcomeStatus.DONE)
    assert first.metrics == second.metrics  # on the machine that is left
    assert executor.slots == 1
    cluster.add_node(num_cpus=1, object_store_memory=ray_cluster.STORE_BYTES)
    assert wait_until(lambda: executor.slots == 2)
    go.unlink()
    executor.submit([order(2), order(3)])
    assert wait_until(lambda: len(list(tmp_path.glob("begun-[23]*"))) == 2)
    go.touch()
    third, fourth = collect(executor, 2)
    assert third.metrics != fourth.metrics


def test_a_store_that_the_machines_do_not_share_ends_the_study(start):
    executor = start(lambda config: 0.0, MemoryArtifacts())
    executor.submit([order(0)])
    with pytest.raises(WorkerError, match="cannot read what the study stores") as caught:
        collect(executor, 1)
    assert "same path" in caught.value.fix


def test_what_cannot_be_read_on_the_other_side_is_told(start, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text(
        "import os\nif 'RAY_RAYLET_PID' in os.environ:\n    raise ValueError('not here')\n"
        "def objective(config):\n    return 0.0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here

    executor = start(only_here.objective)
    executor.submit([order(0)])
    with pytest.raises(WorkerError, match="could not start: ValueError: not here"):
        collect(executor, 1)


def test_what_no_machine_has_room_for_is_refused(start):
    with pytest.raises(WorkerError, match="room for an actor with 64 CPU, 1 unicorn"):
        start(len, cpus=64, resources={"unicorn": 1})


def test_an_actor_that_needs_nothing_is_refused(start):
    with pytest.raises(WorkerError, match="needs nothing"):
        start(len, cpus=0.0, gpus=0.0)


def test_more_workers_than_there_is_room_for_are_waited_for(start):
    executor = start(lambda config: config.x, workers=5)
    assert executor.slots == 2
    executor.submit([order(0), order(1)])
    assert len(executor._workers) == 5  # noqa: SLF001 - what makes an autoscaler add machines
    assert [outcome.order.trial for outcome in collect(executor, 2)] == [0, 1]


def test_less_than_one_worker_is_refused():
    with pytest.raises(WorkerError, match="workers = 0"):
        RayExecutor(ObjectiveRunner(len, "loss"), MemoryArtifacts(), workers=0)


def test_where_there_are_gpus_an_actor_has_one_and_without_a_word_of_ours(start, cluster):
    joined = cluster.add_node(num_cpus=4, num_gpus=1, object_store_memory=ray_cluster.STORE_BYTES)
    executor = start(lambda config: float(os.environ["CUDA_VISIBLE_DEVICES"]))
    assert executor.slots == 1
    assert start(lambda config: 0.0, gpus=0.0).slots == 6
    executor.submit([order(0)])
    (outcome,) = collect(executor, 1)
    executor.close()
    cluster.remove_node(joined)
    assert outcome.metrics == ({"loss": 0.0},)
