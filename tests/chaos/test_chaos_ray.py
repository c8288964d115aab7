"""A real study on a real Ray cluster whose actors are killed and whose machines come and go.

The long run is by hand, as that of ``test_chaos.py``.
"""

import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

import ray_cluster
import ripieno as rp
from chaos.diary import Diary, say
from chaos.harness import check_record, table

FAULTS = int(os.environ.get("RIPIENO_CHAOS_FAULTS", "2"))
MOST_AT_ONE_STUDY = min(FAULTS, 20)
PAUSE = 0.03 if FAULTS < 20 else 0.2


def search(folder, log, **options):
    def objective(config, report):
        saved = report.load()
        loss = float(saved["loss"]) if saved else 2.0
        say(log, "begins", config, report.start)
        for epoch in range(report.start + 1, report.epochs + 1):
            time.sleep(PAUSE)
            loss = loss * 0.8 + 0.1 * (config["x"] - 0.3) ** 2
            report.save(epoch=epoch, loss=loss)
            say(log, "ends" if epoch == report.epochs else "trained", config, epoch)
            report(epoch=epoch, loss=loss)

    return rp.search(
        objective, rp.Space(x=rp.Float(0.0, 1.0)), metric="loss", scheduler="hyperband",
        trials=49, epochs=27, seed=3, out=folder, **options,
    )  # fmt: skip


def actors():
    """Return the processes of our actors."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().startswith(b"ray::_RayActor"):
                found.append(int(path.parent.name))
    return found


def victim(diary, struck, dice):
    """Return an actor to kill, and its order; None where there is no such.

    By rule an order that two actors died of has failed. So none is struck twice here, nor an
    actor that is between two orders, as nobody outside knows which of them it is given.
    """
    orders = diary.training()
    free = [pid for pid in actors() if pid in orders and orders[pid] not in struck]
    return (pid := dice.choice(free), orders[pid]) if free else None


def disturb(cluster, diary, *, is_over, dice):
    """Kill actors, take machines away and bring others; return what was done."""
    machines, done, struck = list(cluster.worker_nodes), Counter(), set()
    while not is_over.wait(dice.uniform(0.5, 3.0)) and done.total() < MOST_AT_ONE_STUDY:
        if dice.random() < 0.6:
            if found := victim(diary, struck, dice):
                struck.add(found[1])
                with suppress(ProcessLookupError):
                    os.kill(found[0], signal.SIGKILL)
                done["kill an actor"] += 1
        else:
            cluster.remove_node(machines.pop(), allow_graceful=False)
            done["take a machine away"] += 1
            size = {"num_cpus": 1, "object_store_memory": ray_cluster.STORE_BYTES}
            machines.append(cluster.add_node(**size))
    return done


@pytest.mark.skipif(not ray_cluster.INSTALLED, reason="Ray is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names processes there")
def test_a_study_survives_its_cluster(tmp_path):
    search(tmp_path / "calm", os.devnull, workers=1).close()
    expected = table(tmp_path / "calm")
    done, seed = Counter(), int(os.environ.get("RIPIENO_CHAOS_SEED", "1"))
    while done.total() < FAULTS:
        place, is_over = tmp_path / f"study-{seed}", threading.Event()
        diary = Diary(tmp_path / f"study-{seed}.pipe")

        def run(place=place, log=diary.pipe, is_over=is_over):
            try:
                search(place, log, executor="ray", workers=2).close()
            finally:
                is_over.set()

        with ray_cluster.cluster() as cluster:
            thread = threading.Thread(target=run)
            thread.start()
            # Here, because a machine can be brought by the main thread alone.
            done += disturb(cluster, diary, is_over=is_over, dice=random.Random(seed))
            thread.join()
        diary.close()
        check_record(place)
        assert table(place) == expected
        assert diary.overlaps() == []
        seed += 1
    sys.stdout.write(f"{dict(done)}\n")
