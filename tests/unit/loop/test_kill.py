"""A search that is killed goes on as if nothing had happened."""

import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from ripieno.ledger import SqlLedger

PROGRAM = """
    import sys, time
    from pathlib import Path
    from ripieno.executors import InlineExecutor, ObjectiveRunner, ProcessExecutor
    from ripieno.ledger import FileArtifacts, SqlLedger
    from ripieno.loop import replay, run
    from ripieno.records import Objective
    from ripieno.schedulers import Hyperband
    from ripieno.searchers import Random
    from ripieno.space import Float, Space

    folder, workers, pause = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

    def objective(config, report):
        saved = report.load()
        loss = float(saved["loss"]) if saved else 2.0
        for epoch in range(report.start + 1, report.epochs + 1):
            time.sleep(pause)
            loss = loss * 0.8 + 0.1 * config.x**2
            report.save(epoch=epoch, loss=loss)
            report(epoch=epoch, loss=loss)

    file = folder / "study.db"
    ledger = SqlLedger.open(file) if file.exists() else SqlLedger.create(file, {})
    artifacts = FileArtifacts(folder / "artifacts")
    runner = ObjectiveRunner(objective, "loss")
    executor = (
        ProcessExecutor(runner, artifacts, workers=workers)
        if workers > 1
        else InlineExecutor(runner, artifacts)
    )
    scheduler = Hyperband(
        Random(Space(x=Float(0.0, 1.0)), seed=2), Objective("loss"), epochs=27, trials=49
    )
    replay(scheduler, ledger)
    reason = run(
        scheduler,
        ledger,
        executor,
        objective=Objective("loss"),
        artifacts=artifacts,
        watch=lambda progress: print(progress.orders, flush=True),
    )
    print(reason)
    executor.close()
    ledger.close()
"""


def begin(folder, workers, pause=0.005):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(PROGRAM)]
    return subprocess.Popen(
        [*command, folder, str(workers), str(pause)], stdout=subprocess.PIPE, text=True
    )


def finish(folder, workers, pause=0.0):
    program = begin(folder, workers, pause)
    said, _ = program.communicate(timeout=120)
    assert (said.splitlines()[-1], program.returncode) == ("finished", 0)


def table(folder):
    ledger = SqlLedger.open(folder / "study.db")
    trials = [
        (t.id, t.config, t.status, t.history, t.state, t.error, t.notes) for t in ledger.trials()
    ]
    orders = ledger.open_orders()
    ledger.close()
    return trials, orders


@pytest.mark.parametrize("workers", [1, 2])
def test_a_search_that_is_killed_three_times_gives_the_table_of_one_that_was_not(tmp_path, workers):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(whole, 1)
    moments = random.Random(workers)
    for orders in (5, 25, 45):
        with begin(broken, workers) as program:
            for line in program.stdout:
                if int(line) >= orders + moments.randrange(10):
                    break
            time.sleep(moments.uniform(0.0, 0.05))
            program.send_signal(signal.SIGKILL)
    finish(broken, workers)
    assert table(broken) == table(whole)
    assert table(broken)[1] == []
