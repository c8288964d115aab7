"""A worker on a cluster: it is called from afar, and trains in a thread of its own."""

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pickle import PickleBuffer

import cloudpickle

from ripieno.errors import ArtifactError, WorkerError
from ripieno.executors.batches import carry_out
from ripieno.executors.messages import Broke, Close, Ready, Stop, Work
from ripieno.executors.pages import own
from ripieno.executors.working import Inbox, cannot_start, work
from ripieno.records import ArtifactStore, Runner

__all__ = ["Actor", "Shipment"]

_LISTENS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Shipment:
    """What every actor is given, put into the object store once.

    Args:
        body: The pickle of a runner and an artifact store.
        buffers: What is large in it, in its order.
        proof: A key of the store that holds something: who can read it has the same store.
        path: The driver's ``sys.path``.
        arguments: The driver's ``sys.argv``.
        folder: The driver's working directory.
    """

    body: PickleBuffer
    buffers: tuple[PickleBuffer, ...]
    proof: str
    path: tuple[str, ...]
    arguments: tuple[str, ...]
    folder: str


class Actor:
    """Takes messages and keeps what it has to say until it is fetched.

    A call may be made again where its answer was lost: :meth:`tell` knows a message by its
    number, and :meth:`hear` repeats what was not acknowledged.

    Args:
        shipment: What to work on.
        node: What its machine is called.
    """

    def __init__(self, shipment: Shipment, node: str) -> None:
        self._shipment = shipment  # while it is kept, nobody writes to what was mapped
        self._node = node
        self._inbox = Inbox()
        self._told: set[int] = set()
        self._said: list[object] = []
        self._forgotten = 0
        self._speaks = threading.Condition()
        threading.Thread(target=self._live, daemon=True).start()

    def tell(self, number: int, message: object) -> None:
        """Take a message; one whose number is known already is ignored."""
        with self._speaks:
            if number in self._told:
                return
            self._told.add(number)
        match message:
            case Work():
                self._inbox.put(message)
            case Stop():
                self._inbox.stop.set()
            case Close():
                self._inbox.close()

    def hear(self, known: int) -> Sequence[object]:
        """Return what was said after the first messages, waiting a few seconds for some.

        Args:
            known: How many messages have arrived; they are forgotten.
        """
        with self._speaks:
            del self._said[: max(0, known - self._forgotten)]
            self._forgotten = max(known, self._forgotten)
            self._speaks.wait_for(lambda: self._said, _LISTENS_SECONDS)
            return tuple(self._said)

    def send(self, message: object) -> None:
        """Say something to whoever calls :meth:`hear` next."""
        with self._speaks:
            self._said.append(message)
            self._speaks.notify_all()

    def _live(self) -> None:
        try:
            try:
                runner, artifacts = self._unpack()
                self._prove(artifacts)
            except WorkerError as error:
                self.send(Broke(error))
                return
            except BaseException as error:  # noqa: BLE001 - user code may raise anything when imported
                self.send(cannot_start(error))
                return
            self.send(Ready())
            carry = partial(carry_out, runner, artifacts=artifacts)
            work(self, self._inbox, carry, kind=type(runner))
        except BaseException:  # noqa: BLE001 - whatever it was
            # Without this thread the actor would be alive and never answer.
            os._exit(1)

    def _unpack(self) -> tuple[Runner, ArtifactStore]:
        """Find things where the driver finds them, as far as they are on this machine."""
        sys.path += [entry for entry in self._shipment.path if entry not in sys.path]
        sys.argv[:] = self._shipment.arguments
        with suppress(OSError):
            os.chdir(self._shipment.folder)
        parts = [own(memoryview(buffer)) for buffer in self._shipment.buffers]
        runner, artifacts = cloudpickle.loads(self._shipment.body, buffers=parts)
        return runner, artifacts

    def _prove(self, artifacts: ArtifactStore) -> None:
        """Make sure that what is stored here is found by the others.

        Raises:
            WorkerError: It is not.
        """
        try:
            artifacts.read(self._shipment.proof)
        except ArtifactError as error:
            raise WorkerError(
                f"{self._node} cannot read what the study stores: {error.problem}",
                where=error.where,
                fix="keep the study (`out=…`, `--out`) in a folder that every machine of the "
                "cluster mounts under the same path.",
            ) from error
