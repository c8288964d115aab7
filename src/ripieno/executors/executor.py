"""The protocol of the places where runners live."""

from collections.abc import Sequence
from typing import Protocol

from ripieno.records import Order, Outcome

__all__ = ["Executor"]


class Executor(Protocol):
    """Hosts runners and hands orders to them, without knowing what they train."""

    @property
    def slots(self) -> int:
        """How many more orders can be submitted now and begin at once."""

    def submit(self, orders: Sequence[Order]) -> None:
        """Hand orders over; they start now. At most ``slots`` of them."""

    def collect(self, timeout: float | None = None) -> list[Outcome]:
        """Return the outcomes that are there, after waiting for at least one.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes. Empty when
                nothing is out or the time is over.

        Raises:
            WorkerError: A worker died and its orders cannot be handed to another one.
        """

    def recall(self) -> list[Order]:
        """Take back the orders that nobody has begun; they are out no longer."""

    def stop(self) -> None:
        """Ask every runner to end soon; what they give is collected as usual."""

    def close(self) -> None:
        """End all workers and let go of what they hold. Safe to call twice."""
