"""What every executor must keep to, on a Ray cluster, and what it gives beside the others."""

import os
import time

import numpy as np
import pytest

import ray_cluster
import ripieno as rp
from ripieno.executors import RayExecutor
from ripieno.testing import ExecutorContract

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster.cluster() as made:
        yield made


@pytest.mark.usefixtures("cluster")
class TestRayExecutor(ExecutorContract):
    def make(self, runner, artifacts):
        # Half a core, because one of the tests has two executors at once.
        return RayExecutor(runner, artifacts, workers=2, cpus=0.5)


def table(study):
    """All that a study found, but for how long it took."""
    return [
        (trial.id, dict(trial.config), trial.history, trial.status, trial.state)
        for trial in study.trials
    ]


def test_a_seed_gives_the_same_trials_here_in_processes_and_on_two_machines(cluster):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 4))
    y = (x[:, 0] > x[:, 1]).astype(int)

    def tune(**where):
        return rp.tune(
            "mlp",
            (x, y),
            rp.Space(width=rp.Constant(8), lr=rp.Float(1e-3, 1e-1, log=True)),
            trials=5,
            epochs=3,
            tier="loop",
            scheduler="halving",
            seed=3,
            out=":memory:",
            progress=False,
            **where,
        )

    inline = tune(executor="inline")
    assert len(inline.trials) == 5
    assert table(tune(executor="processes", workers=2)) == table(inline)
    assert table(tune(executor="ray")) == table(inline)


def test_a_function_is_searched_on_both_machines(cluster, tmp_path):
    def objective(config):
        machine = os.environ["RAY_RAYLET_PID"]
        (tmp_path / machine).touch()
        while len(list(tmp_path.iterdir())) < 2:  # nobody goes on alone
            time.sleep(0.02)
        return {"value": config.x, "machine": int(machine)}

    space = rp.Space(x=rp.Float(0.0, 1.0))
    study = rp.search(objective, space, trials=4, executor="ray")
    assert len({trial.metrics["machine"] for trial in study.trials}) == 2
    assert study.best.metrics["value"] == min(trial.config.x for trial in study.trials)
