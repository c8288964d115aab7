"""The books of an executor whose workers live in other processes."""

import math
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence

from ripieno.errors import RipienoError, WorkerError
from ripieno.executors.batches import next_batch, stopped
from ripieno.executors.messages import (
    Advanced,
    Begun,
    Broke,
    CannotStart,
    Close,
    Gave,
    Ready,
    Stop,
    Work,
)
from ripieno.records import Order, Outcome, OutcomeStatus, Runner, say_epochs

__all__ = ["HEAVY", "LIGHT", "Team", "Worker"]

HEAVY = 5
"""What the death of a worker counts against the orders that it was training."""

LIGHT = 1
"""The same, where a whole machine went: the order is hardly to blame."""

_MOST_BLAME = 2 * HEAVY
_DEATHS_BEFORE_WORK = 3


class Worker(ABC):
    """One process somewhere, and what it has to do."""

    def __init__(self) -> None:
        self.ready = False
        self.orders: dict[int, Order] = {}
        self.begun: set[int] = set()
        self.heard_at = time.monotonic()
        self.hangs = False

    @abstractmethod
    def send(self, message: object) -> None:
        """Tell it something; nothing happens where it is gone."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once."""


class Team(ABC):
    """Deals orders to workers and keeps the books of what they say; see ``Executor``.

    Orders wait here until a worker is free, those of trials that go on before new ones; a
    worker is given what belongs together. One that dies gives its orders back; an order
    that was being trained by two workers that died becomes a ``failed`` outcome.

    Args:
        runner: What carries the orders out.
        silence_seconds: A worker that has work and says nothing for longer hangs; it is ended
            and dealt with as one that died. None waits for ever.
    """

    def __init__(self, runner: Runner, *, silence_seconds: float | None) -> None:
        self._runner = runner
        self._silence = silence_seconds
        # Guards everything below. Threads that listen to the workers keep the books, so
        # that Ctrl-C, which reaches the main thread alone, never leaves them half kept.
        self._changed = threading.Condition()
        self._waiting: list[Order] = []
        self._finished: list[Outcome] = []
        self._advanced: dict[int, int] = {}
        self._blame: Counter[int] = Counter()
        self._deaths_before_work = 0
        self._error: RipienoError | None = None
        self._stopping = False
        self._closed = False

    @abstractmethod
    def _crowd(self) -> Sequence[Worker]:
        """Return the workers that have not ended."""

    @abstractmethod
    def _places(self) -> int:
        """Return how many workers can have work at once."""

    @abstractmethod
    def _fill_up(self) -> None:
        """Start the workers that are missing.

        Raises:
            WorkerError: The runner cannot be sent to them, or the system starts no more.
        """

    @property
    def slots(self) -> int:
        """How many more orders can be submitted now and begin at once."""
        with self._changed:
            if self._stopping or self._closed or self._error is not None:
                return 0
            return max(0, self._places() * self._runner.width - self._out())

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
            advanced, self._advanced = self._advanced, {}
        # Said where nothing is held: whoever hears it may take its time.
        for trial, epochs in advanced.items():
            say_epochs(trial, epochs)
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
            for worker in self._crowd():
                if worker.ready:
                    worker.send(Stop())
                else:
                    self._give_up(worker)
            self._changed.notify_all()

    def _out(self) -> int:
        return len(self._waiting) + sum(len(worker.orders) for worker in self._crowd())

    def _deal(self) -> None:
        """Give every worker that is free a batch of what waits."""
        for worker in self._crowd():
            if self._waiting and worker.ready and not worker.orders:
                batch = self._batch()
                worker.orders.update((order.trial, order) for order in batch)
                worker.send(Work(tuple(batch)))

    def _batch(self) -> list[Order]:
        """Take the orders that are to be run together next."""
        free = sum(not worker.orders for worker in self._crowd())
        batch = next_batch(self._runner, self._waiting, sharers=max(free, 1))
        lonely = [order for order in batch if self._blame[order.trial]]
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
        for worker in self._crowd():
            if worker.begun and time.monotonic() - worker.heard_at > self._silence:
                worker.hangs = True
                worker.kill()

    def _note(self, worker: Worker, message: object) -> None:
        if isinstance(message, Advanced):
            # No sign of life: an order has its time however often it tells how far it is.
            self._advanced |= message.epochs
            return
        worker.heard_at = time.monotonic()
        match message:
            case Ready():
                worker.ready = True
                if self._closed:
                    worker.send(Close())
                self._deal()
            case Begun(trials):
                self._deaths_before_work = 0
                worker.begun.update(trials)
            case Gave(outcome):
                trial = outcome.order.trial
                worker.begun.discard(trial)
                if worker.orders.pop(trial, None) is not None:
                    self._blame.pop(trial, None)
                    self._finished.append(outcome)
                self._deal()
            case CannotStart(reason, where):
                self._fail(f"could not start: {reason}", where=where)
            case Broke():
                worker.begun.clear()
                self._error = self._error or message.error

    def _bury(self, worker: Worker, how: str, *, blame: int = HEAVY) -> None:
        """Deal with the orders of a worker that died and is no longer of the crowd.

        Args:
            worker: Who died.
            how: Of what, in words.
            blame: What that counts against the orders that it was training.
        """
        if worker.hangs:
            how, blame = f"ended after {self._silence:g} s of silence", HEAVY
        if self._stopping:
            self._give_up(worker)
            return
        self._blame.update(dict.fromkeys(worker.begun, blame))
        for trial in worker.begun:
            if self._blame[trial] >= _MOST_BLAME:
                del self._blame[trial]
                often = "twice" if blame == HEAVY else "again and again"
                error = f"the worker process died ({how}) {often} while training it"
                order = worker.orders.pop(trial)
                self._finished.append(Outcome(order, OutcomeStatus.FAILED, error=error))
        self._waiting[:0] = worker.orders.values()
        if blame == HEAVY and self._waiting:
            self._deaths_before_work += not worker.begun
        if self._deaths_before_work >= _DEATHS_BEFORE_WORK:
            self._fail(f"died ({how}) again before its work")
        elif self._waiting:
            self._replace()

    def _replace(self) -> None:
        """Start a worker for the orders of one that died."""
        try:
            self._fill_up()
            self._deal()
        except WorkerError as error:
            self._error = self._error or error

    def _give_up(self, worker: Worker) -> None:
        self._finished += map(stopped, worker.orders.values())
        worker.orders.clear()

    @abstractmethod
    def _fail(self, what: str, *, where: str | None = None) -> None:
        """Keep the error of a worker that cannot work, unless there is one already."""
