"""An executor of worker processes on this machine."""

import math
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from ripieno.errors import RipienoError, WorkerError
from ripieno.executors.batches import next_batch, stopped
from ripieno.executors.crew import Crew
from ripieno.executors.messages import (
    Begun,
    Broke,
    CannotStart,
    Close,
    Gave,
    Pipe,
    Ready,
    SetUp,
    Stop,
    Work,
)
from ripieno.executors.parcel import Parcel, pack
from ripieno.executors.spawning import COMMAND, spawn
from ripieno.records import ArtifactStore, Order, Outcome, OutcomeStatus, Runner

__all__ = ["ProcessExecutor"]

_CLOSE_SECONDS = 5.0
_KILL_SECONDS = 1.0
_DEATHS_PER_ORDER = 2
_DEATHS_BEFORE_WORK = 3


class _Worker:
    """One process, and what it has to do."""

    def __init__(self, parcel: Parcel, process: subprocess.Popen[bytes]) -> None:
        self.parcel = parcel
        self.file = next(iter(parcel.descriptors), None)
        self.ready = False
        self.orders: dict[int, Order] = {}
        self.begun: set[int] = set()
        self.heard_at = time.monotonic()
        self.hangs = False
        self.process = process
        assert self.process.stdin is not None  # noqa: S101 - asked for above
        assert self.process.stdout is not None  # noqa: S101 - asked for above
        self.pipe = Pipe(self.process.stdout, self.process.stdin)


class ProcessExecutor:
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
    ) -> None:
        if workers < 1:
            raise WorkerError(
                f"workers = {workers} can train nothing.",
                where="ProcessExecutor",
                fix="use at least one worker.",
            )
        self._runner = runner
        self._artifacts = artifacts
        self._count = workers
        self._crew = crew
        self._silence = silence_seconds
        # Guards everything below. Threads that listen to the workers keep the books, so
        # that Ctrl-C, which reaches the main thread alone, never leaves them half kept.
        self._changed = threading.Condition()
        self._workers: list[_Worker] = []
        self._threads: list[threading.Thread] = []
        self._parcel: Parcel | None = None
        self._waiting: list[Order] = []
        self._finished: list[Outcome] = []
        self._deaths: Counter[int] = Counter()
        self._deaths_before_work = 0
        self._error: RipienoError | None = None
        self._stopping = False
        self._closed = False

    @property
    def slots(self) -> int:
        """How many more orders can be submitted now and begin at once."""
        with self._changed:
            if self._stopping or self._closed or self._error is not None:
                return 0
            return max(0, self._count * self._runner.width - self._out())

    def submit(self, orders: Sequence[Order]) -> None:
        """Hand orders over; orders of one group go together.

        Raises:
            WorkerError: The runner cannot be sent to another process.
        """
        with self._changed:
            if self._stopping or self._closed:
                self._finished += map(stopped, orders)
                return
            if not orders:
                return
            self._waiting += orders
            self._fill_up()
            self._deal()

    def collect(self, timeout: float | None = None) -> list[Outcome]:
        """Return the outcomes that are there, after waiting for at least one.

        Raises:
            WorkerError: A worker could not start, or the runner raised an error.
            RipienoError: The runner raised it: an ArtifactError when the disk is full.
        """
        with self._changed:
            self._wait(timeout)
            if self._error is not None and not self._finished:
                raise self._error
            finished, self._finished = self._finished, []
            return finished

    def recall(self) -> list[Order]:
        """Take back the orders that no worker was given yet."""
        with self._changed:
            waiting, self._waiting = self._waiting, []
            return waiting

    def stop(self) -> None:
        """Ask every runner to end soon; orders that were not begun are stopped as they are."""
        with self._changed:
            self._stopping = True
            self._finished += map(stopped, self._waiting)
            self._waiting.clear()
            for worker in self._workers:
                if worker.ready:
                    _send(worker, Stop())
                else:
                    self._give_up(worker)
            self._changed.notify_all()

    def close(self) -> None:
        """End all workers: ask, after five seconds terminate, then kill. Safe to call twice."""
        with self._changed:
            self._stopping = self._closed = True
            workers, self._workers = self._workers, []
            self._waiting.clear()
            for worker in workers:
                worker.orders.clear()
                if worker.ready:
                    _send(worker, Close())
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

    def _out(self) -> int:
        return len(self._waiting) + sum(len(worker.orders) for worker in self._workers)

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
        try:
            file = None if self._crew is None else self._crew.file
            self._parcel = pack((self._runner, self._artifacts), file)
        except WorkerError:
            raise
        except Exception as error:
            # Pickling runs the user's own code, which may raise anything.
            raise WorkerError(
                f"the runner cannot be sent to a worker process: {error}.",
                where=f"{type(self._runner).__qualname__}",
                fix="keep open files, locks and generators out of the function "
                "(open them inside it), or use workers=1.",
            ) from error
        return self._parcel

    def _start(self, parcel: Parcel) -> None:
        process = None if self._crew is None else self._crew.take()
        if process is None:
            process = spawn(parcel.descriptors, workers=self._count)
        worker = _Worker(parcel, process)
        self._workers.append(worker)
        thread = threading.Thread(target=self._listen, args=(worker,), daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _deal(self) -> None:
        """Give every worker that is free a batch of what waits."""
        for worker in self._workers:
            if self._waiting and worker.ready and not worker.orders:
                batch = self._batch()
                worker.orders.update((order.trial, order) for order in batch)
                _send(worker, Work(tuple(batch)))

    def _batch(self) -> list[Order]:
        """Take the orders that are to be run together next."""
        free = sum(not worker.orders for worker in self._workers)
        batch = next_batch(self._runner, self._waiting, sharers=max(free, 1))
        lonely = [order for order in batch if self._deaths[order.trial]]
        if lonely:
            # An order that a worker died of is tried once more, without company.
            batch = lonely[:1]
        taken = {order.trial for order in batch}
        self._waiting = [order for order in self._waiting if order.trial not in taken]
        return batch

    def _wait(self, timeout: float | None) -> None:
        """Wait until there is something to return, and look after the workers meanwhile."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        pause = None if self._silence is None else self._silence / 4
        while True:
            self._end_what_hangs()
            left = max(0.0, deadline - time.monotonic())
            steps = [step for step in (left, pause) if step is not None and step < math.inf]
            if self._changed.wait_for(self._has_news, min(steps, default=None)):
                return
            if time.monotonic() >= deadline:
                return

    def _has_news(self) -> bool:
        return bool(self._finished) or self._error is not None or not self._out()

    def _end_what_hangs(self) -> None:
        """End workers that were given work and have been silent for too long."""
        if self._silence is None:
            return
        for worker in self._workers:
            if worker.begun and time.monotonic() - worker.heard_at > self._silence:
                worker.hangs = True
                worker.process.kill()

    def _listen(self, worker: _Worker) -> None:
        """Keep the books of one worker until it is gone; a thread of its own."""
        try:
            self._converse(worker)
        except (EOFError, OSError):
            # The other end broke; what it had to do is dealt with below.
            pass
        except Exception as error:  # noqa: BLE001 - a thread that dies leaves a study waiting
            with self._changed:
                self._error = self._error or _cannot_start(f"said what cannot be read: {error!r}")
            worker.process.kill()
        status = worker.process.wait()
        with self._changed:
            worker.pipe.close()
            if worker in self._workers:
                self._workers.remove(worker)
                self._bury(worker, status)
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

    def _note(self, worker: _Worker, message: object) -> None:
        worker.heard_at = time.monotonic()
        match message:
            case Ready():
                worker.ready = True
                if self._closed:
                    _send(worker, Close())
                self._deal()
            case Begun(trials):
                self._deaths_before_work = 0
                worker.begun.update(trials)
            case Gave(outcome):
                trial = outcome.order.trial
                worker.begun.discard(trial)
                if worker.orders.pop(trial, None) is not None:
                    self._deaths.pop(trial, None)
                    self._finished.append(outcome)
                self._deal()
            case CannotStart(reason, where):
                error = _cannot_start(f"could not start: {reason}", where=where)
                self._error = self._error or error
            case Broke():
                self._error = self._error or message.error

    def _bury(self, worker: _Worker, status: int) -> None:
        """Deal with the orders of a worker that died."""
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if worker.hangs:
            how = f"ended after {self._silence:g} s of silence"
        if self._stopping:
            self._give_up(worker)
            return
        if not worker.ready:
            self._error = self._error or _cannot_start(f"ended ({how}) before it could work")
            return
        self._deaths.update(worker.begun)
        for trial in worker.begun:
            if self._deaths[trial] >= _DEATHS_PER_ORDER:
                del self._deaths[trial]
                error = f"the worker process died ({how}) twice while training it"
                order = worker.orders.pop(trial)
                self._finished.append(Outcome(order, OutcomeStatus.FAILED, error=error))
        self._waiting[:0] = worker.orders.values()
        if self._waiting:
            self._replace(worker, how)

    def _replace(self, worker: _Worker, how: str) -> None:
        """Start a worker for the orders of one that died."""
        self._deaths_before_work += not worker.begun
        if self._deaths_before_work >= _DEATHS_BEFORE_WORK:
            self._error = self._error or _cannot_start(f"died ({how}) again before its work")
            return
        try:
            self._start(self._packed())
        except WorkerError as error:
            self._error = self._error or error

    def _give_up(self, worker: _Worker) -> None:
        self._finished += map(stopped, worker.orders.values())
        worker.orders.clear()


def _send(worker: _Worker, message: object) -> None:
    # A worker that is gone is dealt with by the thread that listens to it.
    with suppress(OSError):
        worker.pipe.send(message)


def _end(process: subprocess.Popen[bytes], deadline: float) -> None:
    for end in (process.terminate, process.kill):
        try:
            process.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            end()
            deadline = time.monotonic() + _KILL_SECONDS
    process.wait()


def _cannot_start(what: str, *, where: str | None = None) -> WorkerError:
    return WorkerError(
        f"a worker process {what}.",
        where=where or " ".join(COMMAND),
        fix="mend the error above (what the worker printed is on standard error), "
        "or use workers=1 to see it happen in this process.",
    )
