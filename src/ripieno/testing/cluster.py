"""Simulated workers: how long an order takes, and what goes wrong with it."""

import hashlib
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from ripieno.errors import SearchError
from ripieno.records import Metrics, Order, Outcome, OutcomeStatus
from ripieno.testing.simulation import curve

__all__ = ["Cluster"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Simulated workers. How an order goes depends on the order and the seed alone.

    Args:
        workers: How many orders may be out at once.
        metrics: The row of metrics of an order after an epoch: a formula, or a look in a
            table. A number that is not finite ends the trial there as diverged.
        seconds: Virtual seconds that an order takes on a healthy worker.
        failures: Share of the orders whose training fails, after half of their time.
        lost: Share of the attempts at an order that are lost with their worker, half way.
            The order goes out again at once, from where it began, until it arrives.
        stragglers: Share of the orders that meet a slow worker.
        slowdown: How many times as long an order takes there, at least.
        tail: None, and every straggler is ``slowdown`` times as slow. Else the slowdown has
            a Pareto tail, ``P(more than x) = (slowdown / x) ** tail``: the smaller, the
            heavier; at 1 and below its mean is infinite.
        seed: Of who fails, who is lost and who straggles.

    Raises:
        SearchError: A number is out of range.
    """

    workers: int
    metrics: Callable[[Order, int], Metrics] = lambda order, epoch: curve(order.config, epoch)
    seconds: Callable[[Order], float] = lambda order: float(order.epochs)
    failures: float = 0.0
    lost: float = 0.0
    stragglers: float = 0.0
    slowdown: float = 10.0
    tail: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        shares = 0.0 <= self.failures <= 1.0 and 0.0 <= self.stragglers <= 1.0
        shares = shares and 0.0 <= self.lost < 1.0
        pace = self.slowdown > 0.0 and (self.tail is None or self.tail > 0.0)
        if self.workers < 1 or not shares or not pace:
            raise SearchError(
                f"workers = {self.workers}, failures = {self.failures}, lost = {self.lost}, "
                f"stragglers = {self.stragglers}, slowdown = {self.slowdown} and tail = "
                f"{self.tail} make no cluster.",
                where="Cluster",
                fix="give one worker or more, shares from 0 to 1 (lost below 1), and a positive "
                "slowdown and tail.",
            )

    def carry_out(self, order: Order) -> Outcome:
        """Return what an order gives, with the virtual seconds until it is there."""
        fail, straggle, slow, lose = self._draws(order)
        seconds = self.seconds(order)
        if straggle <= self.stragglers:
            seconds *= self.slowdown * (1.0 if self.tail is None else slow ** (-1.0 / self.tail))
        attempts = 1 + self._losses(lose)
        if fail <= self.failures:
            error = "the order was meant to fail"
            return Outcome(order, OutcomeStatus.FAILED, seconds=seconds * attempts / 2, error=error)
        return self._trained(order, seconds * (attempts + 1) / 2)

    def losses(self, order: Order) -> int:
        """Return how many times an order is lost before its outcome arrives."""
        return self._losses(self._draws(order)[3])

    def _draws(self, order: Order) -> tuple[float, ...]:
        """Return four independent numbers, uniform in (0, 1], that belong to an order."""
        text = f"{self.seed} {order.trial} {order.stop}".encode()
        draws = hashlib.blake2b(text, digest_size=16).digest()
        return tuple((word + 1) / 2**32 for word in struct.unpack(">4I", draws))

    def _losses(self, draw: float) -> int:
        """Return a geometric number, of which ``k`` or more have probability ``lost ** k``."""
        return math.floor(math.log(draw) / math.log(self.lost)) if self.lost else 0

    def _trained(self, order: Order, seconds: float) -> Outcome:
        """Return the outcome of an order that did not fail: done, or diverged on the way."""
        rows: list[Metrics] = []
        for epoch in range(order.start + 1, order.stop + 1):
            row = self.metrics(order, epoch)
            if not all(map(math.isfinite, row.values())):
                error = f"the metrics of epoch {epoch} are not finite"
                return Outcome(
                    order, OutcomeStatus.DIVERGED, tuple(rows), seconds=seconds, error=error
                )
            rows.append(row)
        state = f"trial-{order.trial}-epoch-{order.stop}-state"
        return Outcome(order, OutcomeStatus.DONE, tuple(rows), seconds=seconds, state=state)
