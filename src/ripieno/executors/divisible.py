"""The protocol of runners that several processes can be together."""

from typing import Protocol

from ripieno.records import Runner

__all__ = ["Divisible"]


class Divisible(Runner, Protocol):
    """A runner whose orders several processes can carry out together."""

    def at(self, rank: int, *, size: int, meeting: str, patience_seconds: float) -> Runner:
        """Return the runner of one of these processes.

        All of them are given the same orders one after the other, and give the same
        outcomes; the first one alone stores anything. They agree among themselves whether to
        stop, since each hears of it at another moment.

        Args:
            rank: Number of the process.
            size: Number of all processes.
            meeting: Path of a file, which must not exist before, by which they find each
                other.
            patience_seconds: How long one waits for another before it gives up.
        """
