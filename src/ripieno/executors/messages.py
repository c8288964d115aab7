"""What a study and its own worker processes say to each other, over a private pipe.

The messages are pickled: both ends are one program, started by one user, and the pipe has
no other reader or writer. Nothing that comes from a file or a database is unpickled.
"""

import contextlib
import pickle
import struct
from dataclasses import dataclass
from typing import IO

from ripieno.errors import RipienoError
from ripieno.records import Order, Outcome

__all__ = [
    "Advanced",
    "Begun",
    "Broke",
    "CannotStart",
    "Close",
    "Gave",
    "Pipe",
    "Ready",
    "Seat",
    "SetUp",
    "Stop",
    "Work",
]

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Seat:
    """The place of a worker among those that carry each order out together.

    Args:
        rank: Its number.
        size: How many there are.
        meeting: Path of a file by which they find each other, in a folder of its own.
        patience_seconds: How long one waits for another before it gives up.
    """

    rank: int
    size: int
    meeting: str
    patience_seconds: float


@dataclass(frozen=True, slots=True)
class SetUp:
    """To a worker, first: where the parent finds its modules, and how it was called.

    The bytes of the runner and the artifact store follow, by cloudpickle: functions of the
    user's main script and lambdas travel with their code. What is large lies in a file.

    Args:
        path: The parent's ``sys.path``.
        arguments: The parent's ``sys.argv``.
        python_path: The parent's environment variable PYTHONPATH, or None.
        spans: Where in the file what is large lies; see ``Parcel``.
        file: The inherited descriptor of the file; None if nothing is large.
        seat: The worker's among those that carry each order out together; None for one that
            does so alone.
    """

    path: tuple[str, ...]
    arguments: tuple[str, ...]
    python_path: str | None
    spans: tuple[tuple[int, int], ...] = ()
    file: int | None = None
    seat: Seat | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """To a worker: orders to be run together."""

    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """To a worker: end soon, and give what there is."""


@dataclass(frozen=True, slots=True)
class Close:
    """To a worker: leave."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker: the runner is here."""


@dataclass(frozen=True, slots=True)
class CannotStart:
    """From a worker: the runner could not be read, for this reason and here; it leaves."""

    reason: str
    where: str


@dataclass(frozen=True, slots=True)
class Begun:
    """From a worker: these trials are being trained now."""

    trials: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Advanced:
    """From a worker, now and then: how many epochs of their orders these trials are past."""

    epochs: dict[int, int]


@dataclass(frozen=True, slots=True)
class Gave:
    """From a worker: what an order gave."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Broke:
    """From a worker: the runner raised an error that is none of the user's."""

    error: RipienoError


class Pipe:
    """One end of a two-way pipe that carries messages whole."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    def send(self, message: object) -> None:
        """Write a message; nothing is written if it cannot be pickled.

        Raises:
            OSError: The other end is gone.
        """
        self.send_bytes(pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL))

    def send_bytes(self, body: bytes) -> None:
        """Write bytes, to be read by :meth:`receive_bytes`."""
        self._outgoing.write(_LENGTH.pack(len(body)))
        self._outgoing.write(body)
        self._outgoing.flush()

    def receive(self) -> object:
        """Wait for a message and return it.

        Raises:
            EOFError: The other end is gone.
        """
        return pickle.loads(self.receive_bytes())  # noqa: S301 - from our own process, see above

    def receive_bytes(self) -> bytes:
        """Wait for bytes and return them, whole."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        body = self._incoming.read(count)
        if len(body) < count:
            raise EOFError
        return body

    def close(self) -> None:
        """Let go of both directions."""
        self._incoming.close()
        # What was not flushed has nobody left to read it.
        with contextlib.suppress(OSError):
            self._outgoing.close()
