"""A study that is disturbed all the time, and what must be true of it in the end."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import ripieno as rp
from chaos.diary import Diary
from ripieno.records import Outcome, OutcomeStatus
from ripieno.study.folder import Folder

__all__ = ["Chaos", "check_record", "table"]

DRIVER = Path(__file__).with_name("driver.py")
SILENCE_SECONDS = 4.0


@dataclass
class Chaos:
    """Drivers that come and go on one study.

    Args:
        folder: Where the study lies; does not exist yet.
        seed: Of the faults and their moments.
        drivers: How many run at a time.
        storage: Address of a database; SQLite in the folder where absent.
        server: What ``storage`` is an address of, to be crashed; has ``stop`` and ``start``.
        pause: Seconds that an epoch takes.
    """

    folder: Path
    seed: int = 0
    drivers: int = 3
    storage: str = ""
    server: object | None = None
    pause: float = 0.02
    faults: Counter = field(default_factory=Counter)
    running: list = field(default_factory=list)
    messages: list = field(default_factory=list)

    def __post_init__(self):
        self.dice = random.Random(self.seed)
        self.diary = Diary(self.folder.with_suffix(".pipe"))

    def run(self, faults, *, seconds):
        """Disturb the study so many times, then let it finish."""
        deadline = time.monotonic() + seconds
        self._start()
        while sum(self.faults.values()) < faults:
            assert time.monotonic() < deadline, f"after {dict(self.faults)} faults the time is over"
            time.sleep(self.dice.uniform(0.05, 0.6))
            if self._is_done():
                break
            self._fill_up()
            self._disturb()
        while not self._is_done():
            assert time.monotonic() < deadline, f"it does not end: {self.messages[-3:]}"
            self._fill_up()
            time.sleep(0.1)
        for process in list(self.running):
            process.wait(60)
            self._hear(process)
        self.diary.close()

    def _start(self, **more):
        environment = {
            **os.environ,
            "RIPIENO_CHAOS_LOG": str(self.diary.pipe),
            "RIPIENO_SILENCE_SECONDS": str(SILENCE_SECONDS),
            **more,
        }
        if self.dice.random() < 0.5:
            environment["RIPIENO_CHAOS_CLOCK"] = "1"
        if self.dice.random() < 0.3:
            environment["RIPIENO_CHAOS_SLOW"] = "1"
        workers = self.dice.choice((1, 2))
        process = subprocess.Popen(
            [sys.executable, DRIVER, self.folder, self.storage, str(workers), str(self.pause)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)

    def _fill_up(self):
        for process in list(self.running):
            if process.poll() is not None:
                self._hear(process)
        while len(self.running) < self.drivers:
            self._start()

    def _hear(self, process):
        self.running.remove(process)
        said, _ = process.communicate()
        self.messages.append((process.pid, process.returncode, said))
        unheard_of = "Traceback" in said and "ripieno.errors" not in said
        if unheard_of and "KeyboardInterrupt" not in said:
            raise AssertionError(f"a driver ended with an error that is none of ours:\n{said}")

    def _is_done(self):
        return any(said.endswith("True\n") for _, _, said in self.messages)

    def _disturb(self):
        kinds = ["kill a driver", "kill a driver", "kill a worker", "kill a worker", "terminate"]
        kinds += ["freeze", "full disk"]
        if self.server is not None:
            kinds += ["crash the database"]
        kind = self.dice.choice(kinds)
        victim = self.dice.choice(self.running)
        self.faults[kind] += 1
        match kind:
            case "kill a driver":
                self._kill(victim.pid)
            case "kill a worker":
                children = workers_of(victim.pid)
                if children:
                    self._kill(self.dice.choice(children))
            case "terminate":
                victim.terminate()
            case "freeze":
                self._freeze(victim.pid)
            case "full disk":
                self._start(RIPIENO_CHAOS_FULL="2000")
            case "crash the database":
                self.server.stop("immediate")
                time.sleep(self.dice.uniform(0.0, 1.0))
                self.server.start()

    def _kill(self, pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _freeze(self, pid):
        """Stop a driver and its workers for so long that the others give it up."""
        everybody = [pid, *workers_of(pid)]
        for one in everybody:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGSTOP)
        time.sleep(SILENCE_SECONDS * self.dice.choice((0.5, 1.5)))
        for one in everybody:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGCONT)

    def check(self, expected):
        """See that nothing was lost, nothing was done twice, and the result is what it was.

        Args:
            expected: The table of the same study, undisturbed.
        """
        check_record(self.folder)
        assert table(self.folder) == expected
        assert self.diary.overlaps() == []


def check_record(folder):
    """See that each order of a study has one outcome, and each state is what was written."""
    with rp.open(folder, read_only=True) as study:
        for trial in study.trials:
            arrays, facts = study.artifacts.read(trial.state)
            assert facts["epoch"] == trial.epochs
            assert float(arrays["loss"]) == trial.history[-1]["loss"]
    ledger = Folder(folder).open_ledger()
    events = list(ledger.events())
    assert ledger.open_orders() == []
    ledger.close()
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert 2 * len(outcomes) == len(events)
    assert {outcome.status for outcome in outcomes} == {OutcomeStatus.DONE}


def workers_of(pid):
    """Return the worker processes of a driver."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def table(folder):
    """Return what a study found, without what depends on time and place."""
    with rp.open(folder, read_only=True) as study:
        return [
            (t.id, dict(t.config), t.status, t.history, t.error, t.parent) for t in study.trials
        ]
