"""A search on many simulated workers, with a clock of its own.

Nothing is trained and nobody waits: an order takes as many seconds of a virtual clock as it
is said to take, and hours of search on thousands of workers pass in seconds.
"""

import hashlib
import heapq
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ripieno.errors import SearchError
from ripieno.records import Config, Metrics, Order, Outcome, OutcomeStatus
from ripieno.schedulers import Scheduler
from ripieno.testing.simulation import Event, carry_out, curve

__all__ = ["Cluster", "Simulation", "simulate_cluster"]

_LOOKS = 20


@dataclass(frozen=True, slots=True)
class Cluster:
    """Simulated workers. How an order goes depends on the order and the seed alone.

    Args:
        workers: How many orders may be out at once.
        metrics: A config's row of metrics after an epoch: a formula, or a look in a table.
        seconds: Virtual seconds that an order takes on a healthy worker.
        failures: Share of the orders that fail, after half of their time.
        stragglers: Share of the orders that meet a slow worker.
        slowdown: How many times as long an order takes there.
        seed: Of who fails and who straggles.

    Raises:
        SearchError: A number is out of range.
    """

    workers: int
    metrics: Callable[[Config, int], Metrics] = curve
    seconds: Callable[[Order], float] = lambda order: float(order.epochs)
    failures: float = 0.0
    stragglers: float = 0.0
    slowdown: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        shares = 0.0 <= self.failures <= 1.0 and 0.0 <= self.stragglers <= 1.0
        if self.workers < 1 or not shares or not self.slowdown > 0.0:
            raise SearchError(
                f"workers = {self.workers}, failures = {self.failures}, stragglers = "
                f"{self.stragglers} and slowdown = {self.slowdown} make no cluster.",
                where="Cluster",
                fix="give one worker or more, shares from 0 to 1, and a positive slowdown.",
            )

    def carry_out(self, order: Order) -> Outcome:
        """Return what an order gives, with the virtual seconds that it takes."""
        text = f"{self.seed} {order.trial} {order.stop}".encode()
        draws = hashlib.blake2b(text, digest_size=8).digest()
        fails = int.from_bytes(draws[:4], "big") < self.failures * 2**32
        straggles = int.from_bytes(draws[4:], "big") < self.stragglers * 2**32
        outcome = carry_out(
            order,
            status=OutcomeStatus.FAILED if fails else OutcomeStatus.DONE,
            metrics=self.metrics,
        )
        seconds = self.seconds(order) * (self.slowdown if straggles else 1.0)
        return replace(outcome, seconds=seconds / 2 if fails else seconds)


@dataclass(slots=True)
class Simulation:
    """What a simulated search did.

    Args:
        workers: How many workers there were.
        orders: Orders given.
        epochs: Epochs of those orders.
        seconds: Virtual seconds from the first order to the last outcome.
        supplied_seconds: Virtual seconds up to the last order that was given.
        busy_seconds: Virtual seconds that workers trained up to then, summed over workers.
        looks: Orders given, and processor seconds that the scheduler (with its searcher) had
            used by then; about twenty looks where the number of orders is limited, else one
            every thousand orders. The first one comes when every worker has an order.
    """

    workers: int
    orders: int = 0
    epochs: int = 0
    seconds: float = 0.0
    supplied_seconds: float = 0.0
    busy_seconds: float = 0.0
    looks: list[tuple[int, float]] = field(default_factory=list)

    @property
    def utilisation(self) -> float:
        """Share of the workers' time that was spent training while there were orders."""
        available = self.workers * self.supplied_seconds
        return self.busy_seconds / available if available else 1.0


def simulate_cluster(
    scheduler: Scheduler,
    cluster: Cluster,
    *,
    most_orders: int | None = None,
    watch: Callable[[float, Event], None] | None = None,
) -> Simulation:
    """Run a search on simulated workers, each of which asks as soon as it is free.

    A step costs the logarithm of the number of workers, whatever was done before. Outcomes
    that fall on the same virtual second are told in the sequence of their orders.

    Args:
        scheduler: A fresh scheduler.
        cluster: The workers.
        most_orders: Give no more orders than that; None goes on to the end of the search.
        watch: Called with the virtual time and every order and outcome, as they happen.
    """
    done = Simulation(cluster.workers)
    out: list[tuple[float, int, Outcome]] = []
    clock = _Stopwatch()
    every = 1_000 if most_orders is None else max(1, most_orders // _LOOKS)
    busy, next_look = 0.0, min(cluster.workers, most_orders or math.inf)
    while True:
        free = cluster.workers - len(out)
        if most_orders is not None:
            free = min(free, most_orders - done.orders)
        with clock:
            orders = scheduler.ask(free) if free else []
        for order in orders:
            outcome = cluster.carry_out(order)
            heapq.heappush(out, (done.seconds + outcome.seconds, done.orders, outcome))
            done.orders += 1
            done.epochs += order.epochs
            if watch is not None:
                watch(done.seconds, order)
        if orders:
            done.supplied_seconds, done.busy_seconds = done.seconds, busy
        if orders and done.orders >= next_look:
            done.looks.append((done.orders, clock.seconds))
            next_look = done.orders + every
        if not out:
            return done
        finished, _, outcome = heapq.heappop(out)
        busy += (len(out) + 1) * (finished - done.seconds)
        done.seconds = finished
        with clock:
            scheduler.tell(outcome)
        if watch is not None:
            watch(done.seconds, outcome)


class _Stopwatch:
    """Processor seconds spent inside of its ``with`` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._began
