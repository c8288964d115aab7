"""The executor of the driver that leads: its own, and the drivers that help."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from ripieno.executors import Executor
from ripieno.ledger import Board, Driver, Lease
from ripieno.loop.pauses import LONGEST_PAUSE, LOOK_ROUND_SECONDS, SHORTEST_PAUSE
from ripieno.loop.presence import Vigil
from ripieno.records import Order, Outcome, OutcomeStatus

__all__ = ["SharedExecutor"]

_DEATHS_PER_ORDER = 5
_AHEAD_SECONDS = 0.2
_MOST_AHEAD = 32


class SharedExecutor:
    """Spreads orders over this process and the other drivers of a study.

    Others come and go at any time. Orders of one that is dead are handed out again; what it
    gives afterwards is not taken. A driver that took the lead over meets the orders that are
    out, its own among them, when they are submitted: they go on where they are.

    Args:
        inner: Carries orders out here.
        board: Where the drivers meet; used by the thread that submits and collects.
        me: This driver's id.
        vigil: Says who lives.
        group: Says which orders belong together; these go to one driver where they can.
        check: Raises where the others may have given this driver up: it must not go on.
        open_orders: What will be submitted first: the orders that the record holds open.
        at_work: Trials of those that ``inner`` carries out already, under leases of this driver.
    """

    def __init__(
        self,
        inner: Executor,
        board: Board,
        *,
        me: str,
        vigil: Vigil,
        group: Callable[[Order], Hashable],
        check: Callable[[], None] = lambda: None,
        open_orders: Sequence[Order] = (),
        at_work: Sequence[int] = (),
    ) -> None:
        self._inner = inner
        self._board = board
        self._me = me
        self._vigil = vigil
        self._group = group
        self._check = check
        self._helpers: dict[str, Driver] = {}
        self._leases: dict[int, Lease] = {}
        self._void: list[str] = []
        awaited = {order.trial: order for order in open_orders}
        for lease in board.leases():
            order = awaited.get(lease.order.trial)
            if order is not None and _is_of(lease, order):
                self._leases[order.trial] = lease
            else:
                self._void.append(lease.ticket)
        self._here = {trial for trial in at_work if trial in self._leases}
        # Orders that are out, and that the loop has not submitted to this executor yet.
        self._unclaimed = set(self._leases)
        self._waiting: list[Order] = []
        self._finished: dict[int, Outcome] = {}
        # Tickets of these: they stay on the board until the outcomes are recorded.
        self._delivered: dict[int, str] = {}
        self._deaths: Counter[int] = Counter()
        # Orders that a helper is given beyond what it can begin, where they are over at once.
        self._ahead = 0
        self._looked_round = -LOOK_ROUND_SECONDS
        # Asked for by other threads, which must not touch the board.
        self._stop = threading.Event()
        self._off = threading.Event()
        self._is_off = False
        self._look_round()

    @property
    def slots(self) -> int:
        """How many more orders can be submitted; those that are out elsewhere are among them."""
        if self._stop.is_set():
            return 0
        free = self._inner.slots + sum(map(self._free, self._helpers.values()))
        return max(0, free - len(self._waiting)) + len(self._unclaimed)

    @property
    def elsewhere(self) -> set[int]:
        """The trials whose orders other drivers hold."""
        return set(self._leases) - self._here

    def submit(self, orders: Sequence[Order]) -> None:
        """Hand orders to whoever is free."""
        for order in orders:
            if order.trial in self._unclaimed:
                self._unclaimed.discard(order.trial)
            else:
                self._waiting.append(order)
        self._deal()

    def collect(self, timeout: float | None = None) -> list[Outcome]:
        """Return the outcomes that are there, after waiting for at least one.

        What came from other drivers has been recorded when this is called again: only then
        are its leases taken off the board.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = SHORTEST_PAUSE
        while True:
            self._look()
            self._deal()
            if ready := self._take_ready():
                return ready
            if not (self._here or self._waiting or self.elsewhere):
                return []
            left = pause if self.elsewhere else LOOK_ROUND_SECONDS
            if deadline is not None:
                left = min(left, deadline - time.monotonic())
            self._wait_here(max(0.0, left))
            if ready := self._take_ready():
                return ready
            if deadline is not None and time.monotonic() >= deadline:
                return []
            pause = min(2 * pause, LONGEST_PAUSE)

    def recall(self) -> list[Order]:
        """Take back the orders that nobody has begun here."""
        recalled, self._waiting = [*self._waiting, *self._recall_here()], []
        return recalled

    def stop(self) -> None:
        """Ask what runs here to end soon; other drivers go on. May come from any thread."""
        self._stop.set()
        self._inner.stop()

    def call_off(self) -> None:
        """Ask every driver to end soon; all outcomes are still to come. From any thread."""
        self._off.set()
        self.stop()

    def close(self) -> None:
        """End what runs here; other drivers go on."""
        self._inner.close()

    def _take_ready(self) -> list[Outcome]:
        ready = [trial for trial in self._finished if trial not in self._unclaimed]
        tickets = [self._delivered.pop(trial, None) for trial in ready]
        self._void += [ticket for ticket in tickets if ticket is not None]
        return [self._finished.pop(trial) for trial in ready]

    def _finish(self, outcome: Outcome) -> None:
        trial = outcome.order.trial
        lease = self._leases.pop(trial, None)
        if lease is not None:
            self._delivered[trial] = lease.ticket
        if outcome.status is OutcomeStatus.DONE:
            self._ahead = int(min(_MOST_AHEAD, _AHEAD_SECONDS / max(outcome.seconds, 1e-9)))
        self._here.discard(trial)
        self._finished[trial] = outcome

    def _wait_here(self, seconds: float) -> None:
        if self._here:
            for outcome in self._inner.collect(seconds):
                self._finish(outcome)
        else:
            time.sleep(seconds)

    def _look(self) -> None:
        """See who is there and what they gave."""
        self._check()
        if self._void:
            void, self._void = self._void, []
            self._board.take_back(void)
        if self._off.is_set() and not self._is_off:
            self._board.call_off(self._me)
            self._is_off = True
        if time.monotonic() - self._looked_round > LOOK_ROUND_SECONDS:
            self._look_round()
        elif self.elsewhere:
            self._take_delivered()

    def _take_delivered(self) -> None:
        for lease in self._board.delivered():
            ours = self._leases.get(lease.order.trial)
            if ours is not None and ours.ticket == lease.ticket and lease.outcome is not None:
                self._finish(lease.outcome)

    def _look_round(self) -> None:
        """See who came, who left and who died; what the dead had delivered is taken first."""
        self._looked_round = time.monotonic()
        drivers = self._board.drivers()
        living = self._vigil.living(drivers) | {self._me}
        self._helpers = {d.id: d for d in drivers if d.id in living and d.id != self._me}
        dead = {driver.id for driver in drivers} - living
        self._board.remove(dead)
        if self.elsewhere:
            # Whoever was removed can deliver nothing any more.
            self._take_delivered()
        for trial in sorted(self.elsewhere):
            holder = self._leases[trial].driver
            if holder not in self._helpers:
                self._give_again(trial, died=holder in dead)
        busy = {lease.driver for lease in self._leases.values()}
        if self._here and not self._helpers.keys() <= busy and not self._stop.is_set():
            # Somebody has nothing to do: what has not begun here is divided anew.
            self._waiting += self._recall_here()

    def _recall_here(self) -> list[Order]:
        recalled = self._inner.recall()
        for order in recalled:
            self._here.discard(order.trial)
            self._drop(order.trial)
        return recalled

    def _give_again(self, trial: int, *, died: bool) -> None:
        order = self._leases[trial].order
        self._drop(trial)
        if trial in self._unclaimed:
            self._unclaimed.discard(trial)
            return
        self._deaths[trial] += died
        if self._deaths[trial] < _DEATHS_PER_ORDER:
            self._waiting.insert(0, order)
        else:
            error = f"{_DEATHS_PER_ORDER} processes died while they trained it"
            self._finish(Outcome(order, OutcomeStatus.FAILED, error=error))

    def _drop(self, trial: int) -> None:
        lease = self._leases.pop(trial, None)
        if lease is not None:
            self._void.append(lease.ticket)

    def _deal(self) -> None:
        """Give what waits to this process and to the helpers, each its share."""
        if self._stop.is_set():
            for order in self._waiting:
                self._finish(Outcome(order, OutcomeStatus.STOPPED))
            self._waiting = []
        if not self._waiting:
            return
        free = {self._me: self._inner.slots}
        free.update({driver.id: self._free(driver) for driver in self._helpers.values()})
        waiting = self._together() if len(free) > 1 else self._waiting
        leased: list[tuple[Order, str]] = []
        for driver, count in _shares(len(waiting), free).items():
            part, waiting = waiting[:count], waiting[count:]
            if driver == self._me and part:
                self._here.update(order.trial for order in part)
                self._inner.submit(part)
            elif part:
                leased += [(order, driver) for order in part]
        self._waiting = waiting
        self._leases.update((lease.order.trial, lease) for lease in self._board.lease(leased))

    def _together(self) -> list[Order]:
        """Return what waits with the orders of a group side by side, the oldest group first."""
        groups: dict[Hashable, list[Order]] = {}
        for order in self._waiting:
            groups.setdefault(self._group(order), []).append(order)
        return [order for group in groups.values() for order in group]

    def _free(self, driver: Driver) -> int:
        held = sum(lease.driver == driver.id for lease in self._leases.values())
        return max(0, driver.capacity + self._ahead - held)


def _is_of(lease: Lease, order: Order) -> bool:
    return (lease.order.start, lease.order.stop) == (order.start, order.stop)


def _shares(count: int, free: dict[str, int]) -> dict[str, int]:
    """Divide orders in proportion to the free places, and give nobody more than these."""
    places = sum(free.values())
    count = min(count, places)
    shares = {}
    for driver, own in free.items():
        shares[driver] = min(own, -(-count * own // places)) if places else 0
        count -= shares[driver]
        places -= own
    return shares
