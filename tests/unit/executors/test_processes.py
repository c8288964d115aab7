import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from ripieno.errors import WorkerError
from ripieno.executors import ObjectiveRunner, ProcessExecutor
from ripieno.ledger import FileArtifacts
from ripieno.records import Config, Order, Outcome, OutcomeStatus


def order(trial, start=0, stop=1, **values):
    return Order(trial, Config({"x": float(trial), **values}), start, stop)


@pytest.fixture
def start(tmp_path):
    """Make an executor of a function or a runner; all are closed in the end."""
    made = []

    def start(what, workers=1):
        runner = ObjectiveRunner(what, "loss") if callable(what) else what
        made.append(ProcessExecutor(runner, FileArtifacts(tmp_path / "a"), workers=workers))
        return made[-1]

    yield start
    for executor in made:
        executor.close()


def collect(executor, count):
    outcomes = []
    while len(outcomes) < count and (found := executor.collect(60.0)):
        outcomes += found
    return sorted(outcomes, key=lambda outcome: outcome.order.trial)


def is_alive(pid):
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def meeting(folder):
    """A function whose calls wait until it is called in two processes."""
    folder = folder / "met"
    folder.mkdir()

    def objective(config):
        (folder / str(os.getpid())).touch()
        while len(list(folder.iterdir())) < 2:
            time.sleep(0.01)
        return os.getpid()

    return objective


def test_workers_start_with_the_first_order(start, tmp_path):
    executor = start(meeting(tmp_path), workers=2)
    assert executor.slots == 2
    assert executor._workers == []  # noqa: SLF001 - nothing outside shows it
    executor.submit([order(0), order(1)])
    pids = {outcome.metrics[0]["loss"] for outcome in collect(executor, 2)}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_less_than_one_worker_is_refused(start):
    with pytest.raises(WorkerError, match="workers = 0"):
        start(len, workers=0)


def test_a_worker_computes_on_one_thread_and_sees_the_parents_environment(start, monkeypatch):
    monkeypatch.setenv("RIPIENO_TEST", "5")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")

    def objective(config):
        one = [os.environ[f"{name}_NUM_THREADS"] == "1" for name in ("OMP", "MKL", "OPENBLAS")]
        kept = os.environ["RIPIENO_TEST"] == "5" and os.environ["PYTHONPATH"] == "/somewhere"
        return {"loss": 0.0, "threads": all(one), "kept": kept}

    executor = start(objective)
    executor.submit([order(0)])
    (outcome,) = collect(executor, 1)
    assert outcome.metrics == ({"loss": 0.0, "threads": 1.0, "kept": 1.0},)


def test_a_worker_finds_the_modules_that_the_parent_finds(start, tmp_path, monkeypatch):
    (tmp_path / "neighbor.py").write_text("def objective(config):\n    return config.x + 0.5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import neighbor

    executor = start(neighbor.objective)
    executor.submit([order(1)])
    (outcome,) = collect(executor, 1)
    assert outcome.metrics == ({"loss": 1.5},)


def test_a_killed_worker_hands_its_order_to_another_one(start, tmp_path):
    marker = tmp_path / "died"

    def objective(config):
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return config.x

    executor = start(objective)
    executor.submit([order(3)])
    (outcome,) = collect(executor, 1)
    assert (outcome.status, outcome.metrics) == (OutcomeStatus.DONE, ({"loss": 3.0},))
    assert executor.slots == 1


def test_an_order_that_kills_two_workers_has_failed_and_the_study_goes_on(start):
    def objective(config):
        if config.x == 1.0:
            os.kill(os.getpid(), signal.SIGKILL)
        return config.x

    executor = start(objective, workers=2)
    outcomes = []
    for trial in range(4):
        executor.submit([order(trial)])
        outcomes += collect(executor, 1)
    status = {outcome.order.trial: outcome.status.value for outcome in outcomes}
    assert status == {0: "done", 1: "failed", 2: "done", 3: "done"}
    assert outcomes[1].error == "the worker process died (signal 9) twice while training it"
    assert outcomes[1].order == order(1)


def test_a_process_that_a_dead_worker_forked_does_not_hold_the_study_up(start, tmp_path):
    def objective(config):
        child = os.fork()
        if child == 0:
            time.sleep(120)
            os._exit(0)
        (tmp_path / f"child-{child}").touch()
        os.kill(os.getpid(), signal.SIGKILL)

    executor = start(objective)
    executor.submit([order(0)])
    (outcome,) = collect(executor, 1)
    children = [int(path.name.removeprefix("child-")) for path in tmp_path.glob("child-*")]
    alive = [is_alive(child) for child in children]
    for child in children:
        os.kill(child, signal.SIGKILL)
    assert outcome.status is OutcomeStatus.FAILED
    assert alive == [True, True]


def test_a_function_that_ends_the_process_is_told_with_its_exit_status(start):
    executor = start(lambda config: os._exit(3))
    executor.submit([order(0)])
    (outcome,) = collect(executor, 1)
    assert "(exit status 3) twice" in outcome.error


class Pool:
    """Three orders at once; the one of trial 1 kills."""

    width = 3

    def group(self, order):
        return ""

    def run(self, orders, artifacts, stop):
        if any(order.trial == 1 for order in orders):
            os.kill(os.getpid(), signal.SIGKILL)
        for each in orders:
            together = float(len(orders))
            yield Outcome(each, OutcomeStatus.DONE, metrics=({"loss": together},))


def pool(width=3):
    """A runner whose class travels with its code, wherever this file lies."""
    return type("Pool", (), {**vars(Pool), "width": width, "__module__": "__main__"})()


def test_orders_that_died_together_are_tried_again_one_by_one(start):
    executor = start(pool())
    executor.submit([order(trial) for trial in range(3)])
    outcomes = collect(executor, 3)
    assert [outcome.status.value for outcome in outcomes] == ["done", "failed", "done"]
    assert [outcome.metrics for outcome in outcomes if outcome.metrics] == [({"loss": 1.0},)] * 2


def test_workers_are_filled_evenly(start, tmp_path):
    meet = meeting(tmp_path)

    class Meeting:
        width = 4

        def group(self, order):
            return ""

        def run(self, orders, artifacts, stop):
            meet(None)
            for each in orders:
                yield Outcome(each, OutcomeStatus.DONE, metrics=({"loss": len(orders)},))

    executor = start(Meeting(), workers=2)
    executor.submit([order(trial) for trial in (2, 3, 4, 5, 6, 7)])
    assert executor.slots == 2
    together = [outcome.metrics[0]["loss"] for outcome in collect(executor, 6)]
    assert together == [3.0] * 6


def test_a_function_that_cannot_be_sent_is_an_error_before_anything_starts(start):
    lock = threading.Lock()
    executor = start(lambda config: float(lock.locked()))
    with pytest.raises(WorkerError, match="cannot be sent to a worker") as caught:
        executor.submit([order(0)])
    assert "lock" in caught.value.problem
    assert 'executor="inline"' in caught.value.fix


def test_a_function_that_a_worker_cannot_import_is_told_in_the_workers_words(start, monkeypatch):
    module = type(sys)("gone_tomorrow")
    exec("def objective(config):\n    return 0.0", vars(module))  # noqa: S102 - a module of no file
    monkeypatch.setitem(sys.modules, "gone_tomorrow", module)
    executor = start(module.objective, workers=2)
    executor.submit([order(0), order(1)])
    with pytest.raises(WorkerError, match="No module named 'gone_tomorrow'"):
        collect(executor, 2)
    assert executor.slots == 0


def test_a_worker_that_dies_while_it_starts_is_an_error(start, tmp_path, monkeypatch):
    (tmp_path / "fatal.py").write_text(
        "import os\nif os.environ.get('FATAL'):\n    os._exit(9)\ndef objective(config): return 0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import fatal

    monkeypatch.setenv("FATAL", "1")
    executor = start(fatal.objective)
    executor.submit([order(0)])
    with pytest.raises(WorkerError, match=r"ended \(exit status 9\) before it could work"):
        collect(executor, 1)


def test_an_error_of_a_runner_is_told_with_its_place(start):
    class Broken:
        width = 1

        def group(self, order):
            return ""

        def run(self, orders, artifacts, stop):
            raise RuntimeError("a bug in the runner")
            yield

    executor = start(Broken())
    executor.submit([order(0)])
    with pytest.raises(WorkerError, match="RuntimeError: a bug in the runner") as caught:
        collect(executor, 1)
    assert "test_processes.py" in caught.value.where


def test_an_answer_that_cannot_be_read_ends_the_study(start):
    class Trap:
        def __reduce__(self):
            return int, ("no number",)

    class Strange:
        width = 1

        def group(self, order):
            return ""

        def run(self, orders, artifacts, stop):
            yield Outcome(orders[0], OutcomeStatus.DONE, notes=Trap())

    executor = start(Strange())
    executor.submit([order(0)])
    with pytest.raises(WorkerError, match="said what cannot be read"):
        collect(executor, 1)


def test_workers_that_die_again_and_again_before_their_work_end_the_study(start, monkeypatch):
    deadly = (
        "import os, signal; from ripieno.executors import worker; "
        "worker.work = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL); worker.main()"
    )
    command = (sys.executable, "-c", deadly)
    monkeypatch.setattr("ripieno.executors.spawning.COMMAND", command)
    executor = start(len)
    executor.submit([order(0)])
    with pytest.raises(WorkerError, match=r"died \(signal 9\) again before its work"):
        collect(executor, 1)


def test_a_system_that_starts_no_process_is_told(start, monkeypatch):
    monkeypatch.setattr("ripieno.executors.spawning.COMMAND", ("/no/such/python",))
    with pytest.raises(WorkerError, match="cannot be started") as caught:
        start(len).submit([order(0)])
    assert "fewer workers" in caught.value.fix


def test_a_worker_that_is_still_starting_when_the_study_stops_gives_its_orders_back(
    start, tmp_path, monkeypatch
):
    (tmp_path / "slow.py").write_text(
        "import os, time\nif os.environ.get('SLOW'):\n    time.sleep(60)\n"
        "def objective(config): return 0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import slow

    monkeypatch.setenv("SLOW", "1")
    executor = start(slow.objective)
    executor.submit([order(0)])
    executor.stop()
    (outcome,) = collect(executor, 1)
    assert outcome.status is OutcomeStatus.STOPPED
    executor.close()


def test_a_worker_that_dies_while_the_study_stops_leaves_stopped_orders(start):
    def objective(config, report):
        while True:
            report(loss=0.0)
            time.sleep(0.01)

    executor = start(objective)
    executor.submit([Order(0, Config({}), 0, 100_000)])
    (worker,) = executor._workers  # noqa: SLF001 - to kill it
    assert wait_until(lambda: worker.begun)
    os.kill(worker.process.pid, signal.SIGSTOP)
    executor.stop()
    os.kill(worker.process.pid, signal.SIGKILL)
    (outcome,) = collect(executor, 1)
    assert (outcome.status, outcome.metrics) == (OutcomeStatus.STOPPED, ())


def test_ctrl_c_does_not_reach_a_worker(start):
    executor = start(lambda config: (time.sleep(0.5), 1.0)[1])
    executor.submit([order(0)])
    (worker,) = executor._workers  # noqa: SLF001 - to signal it
    assert os.getpgid(worker.process.pid) != os.getpgid(0)
    assert wait_until(lambda: worker.begun)
    os.kill(worker.process.pid, signal.SIGINT)
    (outcome,) = collect(executor, 1)
    assert outcome.metrics == ({"loss": 1.0},)


def test_closing_ends_every_worker(start):
    executor = start(lambda config: os.getpid(), workers=2)
    executor.submit([order(0), order(1)])
    pids = [int(outcome.metrics[0]["loss"]) for outcome in collect(executor, 2)]
    executor.close()
    assert not any(is_alive(pid) for pid in pids)


def test_closing_ends_a_worker_that_does_not_listen(start, monkeypatch):
    monkeypatch.setattr("ripieno.executors.processes._CLOSE_SECONDS", 0.3)

    def objective(config):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)

    executor = start(objective)
    executor.submit([order(0)])
    (worker,) = executor._workers  # noqa: SLF001 - to look at it
    assert wait_until(lambda: worker.begun)
    time.sleep(0.1)
    executor.close()
    assert worker.process.returncode == -signal.SIGKILL


def test_timeouts_return_what_there_is(start, monkeypatch):
    monkeypatch.setattr("ripieno.executors.processes._CLOSE_SECONDS", 0.1)
    executor = start(lambda config: (time.sleep(60.0 * config.x), 0.0)[1], workers=2)
    executor.submit([order(0), order(1)])
    (outcome,) = collect(executor, 1)
    assert outcome.order.trial == 0
    assert executor.collect(0.05) == []


SCRIPT = """
    import json, os, sys, time
    from ripieno.executors import ProcessExecutor, ObjectiveRunner
    from ripieno.ledger import FileArtifacts
    from ripieno.records import Config, Order

    scale = 2.0

    class Model:
        def value(self, x):
            return scale * x

    def objective(config):
        print("chatter of a worker")
        os.system("echo chatter of a program")
        with open(f"{sys.argv[1]}/{os.getpid()}", "w"):
            pass
        if config.get("forever"):
            time.sleep(600)
        return Model().value(config.x)

    if __name__ == "__main__":
        executor = ProcessExecutor(
            ObjectiveRunner(objective, "loss"), FileArtifacts(sys.argv[1] + "/a"), workers=2
        )
        forever = len(sys.argv) > 2
        config = {"x": 1.5, **({"forever": True} if forever else {})}
        executor.submit([Order(0, Config(config), 0, 1), Order(1, Config(config), 0, 1)])
        outcomes = []
        while len(outcomes) < 2:
            outcomes += executor.collect(1.0)
        executor.close()
        print(json.dumps([outcome.metrics[0]["loss"] for outcome in outcomes]))
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    (tmp_path / "pids").mkdir()
    return tmp_path / "script.py"


def test_a_main_script_is_not_run_again_and_its_standard_output_stays_clean(script, tmp_path):
    finished = subprocess.run(
        [sys.executable, "-W", "error", script, str(tmp_path / "pids")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert finished.stdout == "[3.0, 3.0]\n"
    # Counted in the text, not by lines: two workers may write into each other's lines.
    for words in ("chatter of a worker", "chatter of a program"):
        assert finished.stderr.count(words) == 2


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_a_parent_that_is_killed(script, tmp_path, end):
    folder = tmp_path / "pids"
    parent = subprocess.Popen(
        [sys.executable, script, str(folder), "forever"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pids = []

    def both_work():
        pids[:] = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        return len(pids) == 2

    started = wait_until(both_work)
    alive = [is_alive(pid) for pid in pids]
    parent.send_signal(end)
    parent.wait()
    assert started
    assert alive == [True, True]
    assert wait_until(lambda: not any(is_alive(pid) for pid in pids))


def test_an_order_that_hangs_is_ended_twice_and_fails_and_the_others_go_on(tmp_path):
    def hang_for_odd_trials(config):
        if config.x % 2:
            time.sleep(600)
        return config.x

    runner = ObjectiveRunner(hang_for_odd_trials, "loss")
    executor = ProcessExecutor(runner, FileArtifacts(tmp_path), workers=2, silence_seconds=1.0)
    try:
        executor.submit([order(0), order(1), order(2)])
        first, hung, last = collect(executor, 3)
    finally:
        executor.close()
    assert (first.status, last.status) == (OutcomeStatus.DONE, OutcomeStatus.DONE)
    assert hung.status is OutcomeStatus.FAILED
    assert "ended after 1 s of silence" in hung.error
