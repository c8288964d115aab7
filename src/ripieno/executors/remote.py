"""A worker on a cluster, as its driver sees it."""

import time
from collections.abc import Callable
from typing import Any

from ripieno.executors.team import Worker

__all__ = ["Remote"]


class Remote(Worker):
    """An actor on a cluster, seen from the driver.

    Args:
        actor: Ray's handle of an :class:`~ripieno.executors.actor.Actor`.
        end: Ends an actor at once.
    """

    def __init__(self, actor: Any, *, end: Callable[[Any], object]) -> None:
        super().__init__()
        self._end = end
        self.node: str | None = None
        """The machine that it runs on, once it is known."""
        self.known = 0
        """How many of its messages have arrived."""
        self.unheard_since: float | None = None
        """When the first of the calls failed that have failed since; None while they do not."""
        self.actor = actor
        self._sent: list[object] = []
        self.listen()

    def listen(self) -> None:
        """Ask for what it says next."""
        self.call = self.actor.hear.remote(self.known)

    def send(self, message: object) -> None:
        """Tell it something; what becomes of it shows when it is listened to."""
        self.actor.tell.remote(len(self._sent), message)
        self._sent.append(message)

    def repeat(self) -> None:
        """Say all again where some may have been lost, and listen; it knows what it has heard."""
        self.unheard_since = self.unheard_since or time.monotonic()
        for number, message in enumerate(self._sent):
            self.actor.tell.remote(number, message)
        self.listen()

    def unheard_for(self) -> float:
        """Return the seconds since calls began to fail."""
        return 0.0 if self.unheard_since is None else time.monotonic() - self.unheard_since

    def kill(self) -> None:
        """End it at once."""
        self._end(self.actor)
