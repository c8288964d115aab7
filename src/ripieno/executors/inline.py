"""An executor in this process."""

import threading
from collections.abc import Generator, Sequence

from ripieno.executors.batches import carry_out, next_batch
from ripieno.records import ArtifactStore, Order, Outcome, Runner

__all__ = ["InlineExecutor"]


class InlineExecutor:
    """Runs orders in the calling thread while their outcomes are waited for.

    Args:
        runner: What carries the orders out.
        artifacts: Where it stores states and predictions.

    An exception that leaves the runner, ``KeyboardInterrupt`` among them, leaves
    :meth:`collect`; the orders that have no outcome yet then wait again.
    """

    def __init__(self, runner: Runner, artifacts: ArtifactStore) -> None:
        self._runner = runner
        self._artifacts = artifacts
        self._waiting: list[Order] = []
        self._running: dict[int, Order] = {}
        self._outcomes: Generator[Outcome] | None = None
        # An event, because a timer or a signal's thread may ask for the stop.
        self._stop = threading.Event()

    @property
    def slots(self) -> int:
        """How many more orders the runner would like to be given now."""
        if self._stop.is_set():
            return 0
        return max(0, self._runner.width - len(self._waiting) - len(self._running))

    def submit(self, orders: Sequence[Order]) -> None:
        """Hand orders over; they start when their outcomes are collected."""
        self._waiting += orders

    def collect(self, timeout: float | None = None) -> list[Outcome]:  # noqa: ARG002 - see below
        """Run orders until one has an outcome and return it; empty when nothing is out.

        The timeout is not looked at: nothing else could go on in this process meanwhile.
        :meth:`stop` may be called from another thread to end the wait.
        """
        if not self._running:
            if not self._waiting:
                return []
            self._begin()
        assert self._outcomes is not None  # noqa: S101 - orders are running
        try:
            outcome = next(self._outcomes)
        except BaseException:
            self._waiting[:0] = self._running.values()
            self._running.clear()
            raise
        del self._running[outcome.order.trial]
        if not self._running:
            self._outcomes.close()
        return [outcome]

    def _begin(self) -> None:
        batch = next_batch(self._runner, self._waiting)
        self._running = {order.trial: order for order in batch}
        self._waiting = [order for order in self._waiting if order.trial not in self._running]
        self._outcomes = carry_out(
            self._runner, batch, artifacts=self._artifacts, stop=self._stop.is_set
        )

    def recall(self) -> list[Order]:
        """Take back the orders that are not begun."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def stop(self) -> None:
        """Ask the runner to end soon; orders that were not begun are stopped as they are."""
        self._stop.set()

    def close(self) -> None:
        """Forget what is out. Safe to call twice."""
        self.stop()
        if self._outcomes is not None:
            self._outcomes.close()
        self._waiting.clear()
        self._running.clear()
