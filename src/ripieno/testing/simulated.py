"""An executor whose workers are simulated: the loop of a study, with hours in seconds."""

import heapq
from collections.abc import Sequence
from dataclasses import replace

from ripieno.records import Order, Outcome, OutcomeStatus
from ripieno.testing.cluster import Cluster

__all__ = ["SimulatedExecutor"]


class SimulatedExecutor:
    """Carries orders out on a simulated cluster, for :func:`ripieno.loop.run`.

    Ledger, loop, scheduler and searcher are the real ones; only the training and the clock
    are not. The loop's own clock, and so a budget of seconds, stays that of the wall.

    Args:
        cluster: The workers, and what their orders give.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.clock = 0.0
        """Virtual seconds since the first order."""
        self._cluster = cluster
        self._out: list[tuple[float, int, Outcome]] = []
        self._given = 0
        self._stopped = False

    @property
    def slots(self) -> int:
        """How many workers are free."""
        return 0 if self._stopped else self._cluster.workers - len(self._out)

    def submit(self, orders: Sequence[Order]) -> None:
        """Let each order begin now, by the virtual clock."""
        for order in orders:
            # Nothing is stored, so there is no key that the loop could read or delete.
            outcome = replace(self._cluster.carry_out(order), state=None)
            heapq.heappush(self._out, (self.clock + outcome.seconds, self._given, outcome))
            self._given += 1

    def collect(self, timeout: float | None = None) -> list[Outcome]:  # noqa: ARG002 - no wait
        """Move the clock to where the next order ends, and return its outcome.

        After :meth:`stop` it returns all orders that are out, as ``stopped`` ones that did
        nothing.
        """
        if self._stopped:
            out, self._out = self._out, []
            return [Outcome(outcome.order, OutcomeStatus.STOPPED) for _, _, outcome in out]
        if not self._out:
            return []
        self.clock, _, outcome = heapq.heappop(self._out)
        return [outcome]

    def stop(self) -> None:
        """End all orders at once."""
        self._stopped = True

    def close(self) -> None:
        """Do nothing: there are no workers to end."""
