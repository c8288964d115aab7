"""A search on many simulated workers, with a clock of its own.

Nothing is trained and nobody waits: an order takes as many seconds of a virtual clock as it
is said to take, and hours of search on thousands of workers pass in seconds. Scheduler and
searcher are the real ones, and are asked and told as the loop of a study asks and tells.
"""

import heapq
import math
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ripieno.records import Config, Objective, Order, Outcome, OutcomeStatus
from ripieno.schedulers import Scheduler
from ripieno.testing.cluster import Cluster
from ripieno.testing.simulation import Event

__all__ = ["Axis", "Incumbent", "Simulation", "simulate_cluster"]

_LOOKS = 20

Axis = Literal["evaluations", "epochs", "seconds"]
"""What a search has spent: orders carried out, epochs trained, or virtual seconds."""


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The best value so far, and what had been spent when it was told.

    Args:
        trial: Whose it is.
        config: What that trial trains.
        epoch: After which of its epochs.
        value: The objective's value.
        evaluations: Orders that had been carried out by then, this one included; with a full
            budget, trials.
        epochs: Epochs that had been trained by then.
        seconds: The virtual clock.
    """

    trial: int
    config: Config
    epoch: int
    value: float
    evaluations: int
    epochs: int
    seconds: float


@dataclass(slots=True)
class Simulation:
    """What a simulated search did.

    Args:
        workers: How many workers there were.
        orders: Orders given.
        epochs: Epochs of those orders.
        seconds: Virtual seconds from the first order to the last outcome.
        supplied_seconds: Virtual seconds up to the last order that was given.
        busy_seconds: Virtual seconds that workers had an order up to then, summed over workers.
        lost: Attempts that were lost with their worker.
        ends: How many orders ended in which way.
        incumbents: The best-so-far curve, a point an improvement, where there is an objective.
        record: Every order and outcome with its virtual time, where it was asked for.
        ask_seconds: Processor seconds that the scheduler (with its searcher) has used in all.
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
    lost: int = 0
    ends: Counter[OutcomeStatus] = field(default_factory=Counter)
    incumbents: list[Incumbent] = field(default_factory=list)
    record: list[tuple[float, Event]] = field(default_factory=list)
    ask_seconds: float = 0.0
    looks: list[tuple[int, float]] = field(default_factory=list)

    @property
    def utilisation(self) -> float:
        """Share of the workers' time in which they had an order, while there were orders."""
        available = self.workers * self.supplied_seconds
        return self.busy_seconds / available if available else 1.0

    @property
    def best(self) -> Incumbent | None:
        """The last incumbent; None without an objective, or before the first value."""
        return self.incumbents[-1] if self.incumbents else None

    def best_after(self, spent: Sequence[float], *, axis: Axis = "evaluations") -> list[float]:
        """Return the best value that was known after so much was spent, NaN before the first.

        Args:
            spent: Amounts, in the units of the axis.
            axis: What is counted.
        """
        reached = [float(getattr(incumbent, axis)) for incumbent in self.incumbents]
        places = (bisect_right(reached, amount) - 1 for amount in spent)
        return [self.incumbents[at].value if at >= 0 else math.nan for at in places]


def simulate_cluster(
    scheduler: Scheduler,
    cluster: Cluster,
    *,
    objective: Objective | None = None,
    most_orders: int | None = None,
    most_epochs: int | None = None,
    most_seconds: float | None = None,
    keep_record: bool = False,
    watch: Callable[[float, Event], None] | None = None,
) -> Simulation:
    """Run a search on simulated workers, each of which asks as soon as it is free.

    A step costs the logarithm of the number of workers, whatever was done before. Outcomes
    that fall on the same virtual second are told in the sequence of their orders.

    Args:
        scheduler: A fresh scheduler.
        cluster: The workers.
        objective: What the best-so-far curve is of; None for no curve.
        most_orders: Give no more orders than that; None goes on to the end of the search.
        most_epochs: Give no more orders once those given have as many epochs. All that were
            given are carried out.
        most_seconds: Give no more orders from then on, by the virtual clock.
        keep_record: Keep all orders and outcomes with their times.
        watch: Called with the virtual time and every order and outcome, as they happen.
    """
    limits = _Limits(most_orders, most_epochs, most_seconds)
    run = _Run(scheduler, cluster, limits, objective=objective, watch=watch, keep=keep_record)
    while True:
        run.give()
        if not run.out:
            return run.done
        run.take()


@dataclass(frozen=True, slots=True)
class _Limits:
    """What may be spent before no more orders are given; None for no limit."""

    orders: int | None
    epochs: int | None
    seconds: float | None

    def allow(self, slots: int, done: Simulation) -> int:
        """Return how many orders may be given now, of those for which there are workers."""
        if self.seconds is not None and done.seconds >= self.seconds:
            return 0
        if self.orders is not None:
            slots = min(slots, self.orders - done.orders)
        if self.epochs is not None:
            # One at a time, as each may be the last that the limit allows.
            slots = min(slots, 1) if done.epochs < self.epochs else 0
        return slots


class _Run:
    """A simulation on its way: what is out, and what has been done."""

    def __init__(
        self,
        scheduler: Scheduler,
        cluster: Cluster,
        limits: _Limits,
        *,
        objective: Objective | None,
        watch: Callable[[float, Event], None] | None,
        keep: bool,
    ) -> None:
        self._scheduler = scheduler
        self._cluster = cluster
        self._limits = limits
        self._objective = objective
        self._watch = watch
        self._keep = keep
        self._clock = _Stopwatch()
        self._busy = 0.0
        self._told = 0
        self._trained = 0
        most = limits.orders
        self._every = 1_000 if most is None else max(1, most // _LOOKS)
        self._next_look = cluster.workers if most is None else min(cluster.workers, most)
        self.done = Simulation(cluster.workers)
        self.out: list[tuple[float, int, Outcome]] = []

    def give(self) -> None:
        """Ask for orders until no worker is free, or there are none, or none are allowed."""
        while slots := self._limits.allow(self._cluster.workers - len(self.out), self.done):
            with self._clock:
                orders = self._scheduler.ask(slots)
            if not orders:
                break
            for order in orders:
                self._send(order)
            self.done.supplied_seconds, self.done.busy_seconds = self.done.seconds, self._busy
            self._look()

    def take(self) -> None:
        """Move the clock to where the next order ends, and tell its outcome."""
        finished, _, outcome = heapq.heappop(self.out)
        self._busy += (len(self.out) + 1) * (finished - self.done.seconds)
        self.done.seconds = finished
        self._told += 1
        self._trained += len(outcome.metrics)
        self.done.ends[outcome.status] += 1
        if self._objective is not None:
            self._judge(outcome, self._objective)
        with self._clock:
            self._scheduler.tell(outcome)
        self.done.ask_seconds = self._clock.seconds
        self._note(outcome)

    def _send(self, order: Order) -> None:
        outcome = self._cluster.carry_out(order)
        heapq.heappush(self.out, (self.done.seconds + outcome.seconds, self.done.orders, outcome))
        self.done.orders += 1
        self.done.epochs += order.epochs
        self.done.lost += self._cluster.losses(order)
        self._note(order)

    def _look(self) -> None:
        if self.done.orders >= self._next_look:
            self.done.looks.append((self.done.orders, self._clock.seconds))
            self._next_look = self.done.orders + self._every

    def _judge(self, outcome: Outcome, objective: Objective) -> None:
        """Enter an improvement on the best value so far, at whichever epoch it was."""
        for epoch, row in enumerate(outcome.metrics, outcome.order.start + 1):
            value, best = objective.value(row), self.done.best
            if objective.is_better(value, math.nan if best is None else best.value):
                spent = (self._told, self._trained, self.done.seconds)
                order = outcome.order
                found = Incumbent(order.trial, order.config, epoch, value, *spent)
                # A point an outcome: its rows are all told at once.
                if best is not None and best.evaluations == self._told:
                    self.done.incumbents.pop()
                self.done.incumbents.append(found)

    def _note(self, event: Event) -> None:
        if self._keep:
            self.done.record.append((self.done.seconds, event))
        if self._watch is not None:
            self._watch(self.done.seconds, event)


class _Stopwatch:
    """Processor seconds spent inside of its ``with`` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._began
