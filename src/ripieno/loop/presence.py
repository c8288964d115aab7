"""Being one of several processes that run a study: saying that one lives, and seeing who does.

Every driver's heartbeat, a counter, goes up every few seconds. Whoever looks keeps the time
since it last saw it change, by its own monotonic clock. So no two machines' clocks are compared,
and one that is set forth or back changes nothing. A process of the same machine is simply looked
for.

Source: leases and their expiry, Gray and Cheriton (1989), "Leases: an efficient fault-tolerant
mechanism for distributed file cache consistency"; here the holder gives up before others take
over, because its patience is shorter than theirs.
"""

import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ripieno.errors import LedgerError
from ripieno.ledger import Board, Driver

__all__ = [
    "BEATS_PER_SILENCE",
    "SILENCE_SECONDS",
    "Presence",
    "Vigil",
    "on_one_machine",
    "this_driver",
]

SILENCE_SECONDS = 60.0
"""A driver that others have not heard of for so long is dead to them."""

BEATS_PER_SILENCE = 20
"""How often a driver says in that time that it lives."""

_GIVES_UP_AFTER = 0.75
_LONG_PAUSE = 0.2

_left: set[str] = set()
"""Ids of drivers that were this process and are no longer: not all could leave the board."""


def this_driver(capacity: int) -> Driver:
    """Return this process as a driver with a new name.

    Args:
        capacity: Orders that it carries out at a time.
    """
    return Driver(uuid.uuid4().hex, _place(), socket.gethostname(), os.getpid(), capacity)


def _place() -> str:
    """Name the processes that can be looked for from here: one boot, one space of numbers."""
    parts = [socket.gethostname().replace("/", "_"), sys.platform]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        # Containers of one machine may share its name, and each counts its own processes.
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    if len(parts) == 2:  # no Linux
        parts.append(str(uuid.getnode()))
    return "/".join(parts)


def on_one_machine(one: Driver, other: Driver) -> bool:
    """Say whether two drivers run under one kernel, in containers of their own or not."""
    return one.place.split("/")[1:3] == other.place.split("/")[1:3]


class Vigil:
    """Says which drivers live, of those that a board names.

    Args:
        silence_seconds: How long a beat may stand still.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self, silence_seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._silence = silence_seconds
        self._clock = clock
        self._place = _place()
        self._beats: dict[str, tuple[int, float]] = {}
        self._looked_at = -1.0

    def living(self, drivers: Sequence[Driver]) -> set[str]:
        """Return the ids of those that live, as far as can be known.

        Time in which nobody looked, or the database could not be reached, is not held against
        anyone: a driver that is met after a pause has its whole time again.
        """
        now = self._clock()
        paused = now - self._looked_at > _LONG_PAUSE * self._silence
        self._looked_at = now
        seen = {}
        for driver in drivers:
            beat, since = self._beats.get(driver.id, (None, now))
            fresh = paused or beat != driver.beat
            seen[driver.id] = driver.beat, now if fresh else since
        self._beats = seen
        return {
            driver.id
            for driver in drivers
            if now - seen[driver.id][1] <= self._silence and not self._is_gone(driver)
        }

    def _is_gone(self, driver: Driver) -> bool:
        if driver.place != self._place or sys.platform == "win32":
            return False
        if driver.id in _left:
            return True
        try:
            os.kill(driver.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # it is there, and somebody else's
            return False
        return _is_zombie(driver.pid)


def _is_zombie(pid: int) -> bool:
    """Say whether a process has ended and waits for its parent to hear of it."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[:1] == ["Z"]


class Presence:
    """A driver on the board as long as this is entered; a thread says that it lives.

    Args:
        driver: Who.
        board: Opens the board, once for the thread, which needs a connection of its own.
        silence_seconds: After how long others take a silent driver for dead. This one gives
            up its work at three quarters of that, so that nothing is trained twice at once.
        on_lost: Called from the thread when the others may have given this driver up.
    """

    def __init__(
        self,
        driver: Driver,
        board: Callable[[], Board],
        *,
        silence_seconds: float,
        on_lost: Callable[[], None],
    ) -> None:
        self._driver = driver
        self._open = board
        self._silence = silence_seconds
        self._on_lost = on_lost
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self.is_lost = False

    def __enter__(self) -> Self:
        board = self._open()
        try:
            board.join(self._driver)
        finally:
            board.close()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(self._silence)
        _left.add(self._driver.id)

    def _live(self) -> None:
        heard = time.monotonic()
        board: Board | None = None
        while not self._over.wait(self._silence / BEATS_PER_SILENCE):
            asked = time.monotonic()
            with suppress(LedgerError):
                board = board or self._open()
                if not board.beat(self._driver.id):
                    break  # taken out by one who thought it dead
                heard = asked
            if time.monotonic() - heard > _GIVES_UP_AFTER * self._silence:
                break
        else:
            self._leave(board)
            return
        # Not taken off the board: what is trained here has not ended yet.
        self.is_lost = True
        self._on_lost()
        if board is not None:
            board.close()

    def _leave(self, board: Board | None) -> None:
        with suppress(LedgerError):
            board = board or self._open()
            board.remove([self._driver.id])
            board.close()
