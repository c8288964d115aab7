import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from ripieno.executors import ProcessExecutor
from ripieno.loop import StopReason
from ripieno.loop.ending import Ending
from ripieno.records import TrialStatus


class Counting:
    """An executor of which only the stops matter."""

    def __init__(self):
        self.stops = 0

    def stop(self):
        self.stops += 1


def press(when, times=1):
    """Press Ctrl-C, from a thread, a little after something has happened in a session."""

    def in_session():
        return signal.getsignal(signal.SIGINT) is not signal.default_int_handler

    def watch():
        deadline = time.monotonic() + 60.0
        while not (in_session() and when()) and time.monotonic() < deadline:
            time.sleep(0.01)
        for _ in range(times):
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()


def endless(config, report):
    for epoch in range(report.start + 1, report.epochs + 1):
        time.sleep(0.005)
        report.save(epoch=epoch, epochs=epoch)
        report(epoch=epoch, loss=1.0 / epoch)


def wait(executor):
    for _ in range(500):
        if executor.stops:
            return
        time.sleep(0.01)


def test_the_first_ctrl_c_stops_the_executor_and_raises_nothing():
    executor = Counting()
    with Ending(executor, None) as ending:
        os.kill(os.getpid(), signal.SIGINT)
        wait(executor)
    assert ending.reason is StopReason.INTERRUPTED
    assert executor.stops == 1


def test_the_second_ctrl_c_raises():
    with Ending(Counting(), None):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_is_given_back_afterwards():
    with Ending(Counting(), None):
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_somebody_else_is_left_alone():
    def theirs(*_):
        """Whatever they do."""

    before = signal.signal(signal.SIGINT, theirs)
    try:
        with Ending(Counting(), None):
            assert signal.getsignal(signal.SIGINT) is theirs
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_leaves_signals_alone():
    found = []

    def look():
        with Ending(Counting(), None):
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_time_that_is_over_stops_the_executor():
    executor = Counting()
    with Ending(executor, 0.01) as ending:
        wait(executor)
    assert ending.reason is StopReason.BUDGET_SECONDS


def test_time_that_is_not_over_stops_nothing_and_leaves_no_thread():
    executor, threads = Counting(), threading.active_count()
    with Ending(executor, 100.0) as ending:
        pass
    time.sleep(0.05)
    assert (ending.reason, executor.stops) == (None, 0)
    assert threading.active_count() == threads


def test_the_first_reason_stands():
    executor = Counting()
    ending = Ending(executor, None)
    ending.call(StopReason.TARGET)
    ending.call(StopReason.BUDGET_SECONDS)
    assert ending.reason is StopReason.TARGET


def marking(objective, folder):
    """The objective, and a function that says how many of its calls have begun."""

    def marked(config, report):
        (folder / f"begun-{config.digest}").touch()
        return objective(config, report)

    return marked, lambda: len(list(folder.glob("begun-*")))


def test_ctrl_c_in_the_middle_of_an_order_keeps_its_epochs(search, tmp_path):
    objective, begun = marking(endless, tmp_path)
    study = search(objective, scheduler="full", epochs=100_000, trials=2)
    press(begun)
    assert study.session() is StopReason.INTERRUPTED
    (trial,) = study.read("trials")
    (rest,) = study.read("open_orders")
    assert trial.epochs > 0
    assert (rest.start, rest.state) == (trial.epochs, trial.state)


def test_ctrl_c_with_workers_keeps_the_epochs_of_all(search, tmp_path):
    objective, begun = marking(endless, tmp_path)
    study = search(objective, scheduler="full", epochs=100_000, trials=2)
    press(lambda: begun() == 2)
    assert study.session(lambda *of: ProcessExecutor(*of, workers=2)) is StopReason.INTERRUPTED
    trials, left = study.read("trials"), study.read("open_orders")
    assert [trial.epochs for trial in trials] == [order.start for order in left]
    assert all(trial.epochs > 0 for trial in trials)
    assert [trial.status for trial in trials] == [TrialStatus.RUNNING] * 2


def test_an_interrupted_search_goes_on_to_the_same_trials(search, tmp_path):
    objective, begun = marking(endless, tmp_path)
    whole, parts = search(endless), search(objective)
    whole.session()
    for trials in (1, 4, 9, 16):
        press(lambda trials=trials: begun() >= trials)
        assert parts.session() is StopReason.INTERRUPTED
    assert parts.session() is StopReason.FINISHED
    assert parts.table() == whole.table()


def test_a_function_that_raises_an_interrupt_ends_the_search_well(search):
    def objective(config):
        if config.x > 0.0:
            raise KeyboardInterrupt
        return config.x

    study = search(objective, scheduler="full")
    assert study.session() is StopReason.INTERRUPTED
    assert len(study.read("open_orders")) == 1


def test_a_function_that_never_looks_up_is_interrupted_after_a_while(search, tmp_path, monkeypatch):
    monkeypatch.setattr("ripieno.loop.ending._PATIENCE_SECONDS", 0.2)
    objective, begun = marking(lambda config, report: time.sleep(60), tmp_path)
    study = search(objective, scheduler="full")
    press(begun)
    began = time.monotonic()
    assert study.session() is StopReason.INTERRUPTED
    assert time.monotonic() - began < 50.0
    (trial,) = study.read("trials")
    assert (trial.status, trial.epochs) == (TrialStatus.RUNNING, 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_leaves_the_loop_at_once_and_the_record_whole(search, tmp_path):
    objective, begun = marking(lambda config, report: time.sleep(60), tmp_path)
    study = search(objective, scheduler="full")
    press(begun, times=2)
    with pytest.raises(KeyboardInterrupt):
        study.session()
    assert len(study.read("open_orders")) == 1
    study.objective = lambda config: config.x
    assert study.session() is StopReason.FINISHED


PROGRAM = """
    import sys, time
    from pathlib import Path
    from ripieno.executors import ObjectiveRunner, ProcessExecutor
    from ripieno.ledger import FileArtifacts, SqlLedger
    from ripieno.loop import run
    from ripieno.records import Objective
    from ripieno.schedulers import FullBudget
    from ripieno.searchers import Random
    from ripieno.space import Float, Space

    folder = Path(sys.argv[1])

    def objective(config, report):
        (folder / "begun").touch()
        for epoch in range(1, 100_000):
            time.sleep(0.005)
            report(epoch=epoch, loss=config.x)

    ledger = SqlLedger.create(folder / "study.db", {})
    artifacts = FileArtifacts(folder / "artifacts")
    executor = ProcessExecutor(ObjectiveRunner(objective, "loss"), artifacts, workers=2)
    scheduler = FullBudget(Random(Space(x=Float(0.0, 1.0))), epochs=100_000)
    try:
        print(run(scheduler, ledger, executor, objective=Objective("loss"), artifacts=artifacts))
    finally:
        executor.close()
        ledger.close()
"""


def test_ctrl_c_in_a_terminal_stops_a_program_with_workers_well(tmp_path):
    """The terminal sends the signal to the whole process group."""
    program = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    deadline = time.monotonic() + 30.0
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(program.pid, signal.SIGINT)
    said, complained = program.communicate(timeout=30)
    assert (said, complained) == ("interrupted\n", "")
    assert program.returncode == 0
