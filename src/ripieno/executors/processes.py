"""An executor of worker processes on this machine."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from ripieno.errors import WorkerError
from ripieno.executors.crew import Crew
from ripieno.executors.messages import Close, Pipe, SetUp
from ripieno.executors.parcel import Parcel, pack, sending
from ripieno.executors.spawning import COMMAND, spawn
from ripieno.executors.team import Team, Worker
from ripieno.records import ArtifactStore, Runner

__all__ = ["ProcessExecutor"]

_CLOSE_SECONDS = 5.0
_KILL_SECONDS = 1.0


class _Worker(Worker):
    """A process of this machine, behind a pipe."""

    def __init__(self, parcel: Parcel, number: int, process: subprocess.Popen[bytes]) -> None:
        super().__init__()
        self.parcel = parcel
        self.number = number
        self.file = next(iter(parcel.descriptors), None)
        self.process = process
        assert self.process.stdin is not None  # noqa: S101 - asked for above
        assert self.process.stdout is not None  # noqa: S101 - asked for above
        self.pipe = Pipe(self.process.stdout, self.process.stdin)

    def send(self, message: object) -> None:
        # A worker that is gone is dealt with by the thread that listens to it.
        with suppress(OSError):
            self.pipe.send(message)

    def kill(self) -> None:
        self.process.kill()


class ProcessExecutor(Team):
    """Spreads orders over worker processes, one intra-op thread each.

    Workers start at the first order, and end with the parent however it ends. The runner
    is sent to them by cloudpickle, so lambdas and functions of the main script work. It is
    packed once, at the first order; large arrays are not copied for each worker, but shared
    (see :mod:`ripieno.executors.parcel`).

    Orders wait here until a worker is free, those of trials that go on before new ones; a
    worker is given what belongs together. One that dies gives its orders back; an order
    that was being trained by two workers that died becomes a ``failed`` outcome, and the
    study goes on.

    Args:
        runner: What carries the orders out; each worker has a copy, but for large arrays.
        artifacts: Where it stores states and predictions; each worker has a copy.
        workers: The number of processes, at least one.
        crew: Processes that have begun to start, to be taken first; at least as many.
        silence_seconds: A worker that has work and says nothing for longer hangs; it is ended
            and dealt with as one that died. None waits for ever.
        device: What the workers train on. Each sees GPUs of its own, but for one that is named
            by its number (``cuda:1``).

    Raises:
        WorkerError: ``workers`` is below one.
    """

    def __init__(
        self,
        runner: Runner,
        artifacts: ArtifactStore,
        *,
        workers: int,
        crew: Crew | None = None,
        silence_seconds: float | None = None,
        device: str = "auto",
    ) -> None:
        if workers < 1:
            raise WorkerError(
                f"workers = {workers} can train nothing.",
                where="ProcessExecutor",
                fix="use at least one worker.",
            )
        super().__init__(runner, silence_seconds=silence_seconds)
        self._artifacts = artifacts
        self._count = workers
        self._crew = crew
        self._own_gpus = ":" not in device
        self._workers: list[_Worker] = []
        self._threads: list[threading.Thread] = []
        self._parcel: Parcel | None = None

    def _crowd(self) -> Sequence[Worker]:
        return self._workers

    def _places(self) -> int:
        return self._count

    def close(self) -> None:
        """End all workers: ask, after five seconds terminate, then kill. Safe to call twice."""
        with self._changed:
            self._stopping = self._closed = True
            workers, self._workers = self._workers, []
            self._waiting.clear()
            for worker in workers:
                worker.orders.clear()
                if worker.ready:
                    worker.send(Close())
                else:
                    worker.process.terminate()
            if self._parcel is not None:
                self._parcel.close()
            self._changed.notify_all()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for worker in workers:
            _end(worker.process, deadline)
        for thread in self._threads:
            thread.join(_KILL_SECONDS)

    def _fill_up(self) -> None:
        """Start the workers that are missing."""
        missing = self._count - len(self._workers)
        if missing:
            parcel = self._packed()
            for _ in range(missing):
                self._start(parcel)

    def _packed(self) -> Parcel:
        if self._parcel is not None:
            return self._parcel
        file = None if self._crew is None else self._crew.file
        with sending(self._runner):
            self._parcel = pack((self._runner, self._artifacts), file)
        return self._parcel

    def _start(self, parcel: Parcel) -> None:
        taken = None if self._crew is None else self._crew.take()
        if taken is None:
            # One that follows a worker that died has its number, and its GPU.
            number = min(set(range(self._count)) - {worker.number for worker in self._workers})
            process = spawn(
                parcel.descriptors,
                workers=self._count,
                number=number,
                own_gpus=self._own_gpus,
            )
            taken = number, process
        worker = _Worker(parcel, *taken)
        self._workers.append(worker)
        thread = threading.Thread(target=self._listen, args=(worker,), daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _listen(self, worker: _Worker) -> None:
        """Keep the books of one worker until it is gone; a thread of its own."""
        try:
            self._converse(worker)
        except (EOFError, OSError):
            # The other end broke; what it had to do is dealt with below.
            pass
        except Exception as error:  # noqa: BLE001 - a thread that dies leaves a study waiting
            with self._changed:
                self._fail(f"said what cannot be read: {error!r}")
            worker.kill()
        status = worker.process.wait()
        with self._changed:
            worker.pipe.close()
            if worker in self._workers:
                self._workers.remove(worker)
                how = f"signal {-status}" if status < 0 else f"exit status {status}"
                if worker.ready or self._stopping:
                    self._bury(worker, how)
                else:
                    self._fail(f"ended ({how}) before it could work")
            self._changed.notify_all()

    def _converse(self, worker: _Worker) -> None:
        python_path = os.environ.get("PYTHONPATH")
        spans = worker.parcel.spans
        ways = tuple(sys.path), tuple(sys.argv), python_path
        worker.pipe.send(SetUp(*ways, spans=spans, file=worker.file))
        worker.pipe.send_bytes(worker.parcel.body)
        while True:
            message = worker.pipe.receive()
            with self._changed:
                self._note(worker, message)
                self._changed.notify_all()

    def _fail(self, what: str, *, where: str | None = None) -> None:
        self._error = self._error or WorkerError(
            f"a worker process {what}.",
            where=where or " ".join(COMMAND),
            fix="mend the error above (what the worker printed is on standard error), "
            "or use workers=1 to see it happen in this process.",
        )


def _end(process: subprocess.Popen[bytes], deadline: float) -> None:
    for end in (process.terminate, process.kill):
        try:
            process.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            end()
            deadline = time.monotonic() + _KILL_SECONDS
    process.wait()
