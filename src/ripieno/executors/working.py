"""The work of a worker, wherever it lives: batches in, messages out."""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Protocol

from ripieno.errors import RipienoError, WorkerError
from ripieno.executors.messages import Advanced, Begun, Broke, CannotStart, Gave, Work
from ripieno.records import Order, Outcome, hearing

__all__ = ["Inbox", "Mouth", "cannot_start", "work"]


_TELLS_EVERY_SECONDS = 0.5


class Mouth(Protocol):
    """What a worker says goes here."""

    def send(self, message: object) -> None:
        """Pass a message on.

        Raises:
            BrokenPipeError: Nobody listens any more.
        """


class Inbox:
    """Batches that wait for the thread that works, filled by one that listens."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._waiting: SimpleQueue[tuple[Order, ...]] = SimpleQueue()
        self._closed = False

    def put(self, work: Work) -> None:
        """Add a batch."""
        self._waiting.put(work.orders)

    def close(self) -> None:
        """Let what runs end, and :meth:`take` return nothing from then on."""
        self.stop.set()
        self._closed = True
        self._waiting.put(())

    def take(self) -> tuple[Order, ...]:
        """Wait for the next batch; empty once closed."""
        batch = self._waiting.get()
        return () if self._closed else batch


def work(
    mouth: Mouth, inbox: Inbox, carry: Callable[..., Iterator[Outcome]], *, kind: type
) -> None:
    """Carry batches out until the inbox is closed, and say what they gave.

    Args:
        mouth: Where that is said.
        inbox: What is to be done.
        carry: Carries a batch out, as ``carry(orders, stop=…)``.
        kind: The class of the runner, for messages.
    """
    while batch := inbox.take():
        mouth.send(Begun(tuple(order.trial for order in batch)))
        try:
            with hearing(_Teller(mouth).hear):
                for outcome in carry(batch, stop=inbox.stop.is_set):
                    mouth.send(Gave(outcome))
        except BrokenPipeError:
            # The parent is gone: the listening thread is about to end this process.
            return
        except RipienoError as error:
            mouth.send(Broke(error))
        except Exception as error:  # noqa: BLE001 - the parent must hear of it and raise it
            mouth.send(Broke(_of_runner(error, kind)))


class _Teller:
    """Passes on what epochs a batch is past, but not each of them."""

    def __init__(self, mouth: Mouth) -> None:
        self._mouth = mouth
        self._epochs: dict[int, int] = {}
        self._told_at = time.monotonic()

    def hear(self, trial: int, epochs: int) -> None:
        self._epochs[trial] = epochs
        now = time.monotonic()
        if now - self._told_at >= _TELLS_EVERY_SECONDS:
            self._mouth.send(Advanced(self._epochs))
            self._epochs, self._told_at = {}, now


def cannot_start(error: BaseException) -> CannotStart:
    """Return what is said where the runner cannot be read."""
    return CannotStart(_said(error), _place(error))


def _of_runner(error: Exception, kind: type) -> WorkerError:
    return WorkerError(
        f"{kind.__qualname__} raised an error in a worker process: {_said(error)}.",
        where=_place(error),
        fix="use executor='inline' to see it happen in this process.",
    )


def _said(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip().rstrip(".")


def _place(error: BaseException) -> str:
    """Return the innermost line of the traceback, as Python prints it."""
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[-1:])
    return "".join(frames).strip()
