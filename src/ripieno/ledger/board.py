"""What the processes that share a study say to each other: who leads, and who trains what.

Each process that runs a study is a *driver*. One of them leads: it alone asks the scheduler and
writes the record. It hands orders to the others as leases, and they put the outcomes there.

No clock of a machine is ever compared with another's: a driver is alive as long as its
heartbeat, a counter, goes up (see ``ripieno.loop.presence``).
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ripieno.ledger.connection import connect, spoken, translated
from ripieno.ledger.letters import read_order, read_outcome, write_order, write_outcome
from ripieno.ledger.patience import DELAYS_SECONDS, patiently
from ripieno.ledger.places import address
from ripieno.ledger.tables import drivers, lead, leases
from ripieno.records import Order, Outcome

__all__ = ["Board", "Driver", "Lead", "Lease"]

_T = TypeVar("_T")

_ADD_BEAT = update(drivers).where(drivers.c.id == bindparam("me")).values(beat=drivers.c.beat + 1)
_GIVE = insert(leases)
_TAKE_BACK = delete(leases).where(leases.c.ticket == bindparam("old"))
_CLEAR = delete(leases).where(leases.c.trial == bindparam("of_trial"))
_DELIVER = (
    update(leases)
    .where(leases.c.ticket == bindparam("mine"), leases.c.outcome.is_(None))
    .values(outcome=bindparam("text"))
)
_DRIVERS = select(drivers).order_by(drivers.c.id)
_LEASES = select(leases).order_by(leases.c.trial)
_DELIVERED = _LEASES.where(leases.c.outcome.is_not(None))
_WORK = _LEASES.where(leases.c.driver == bindparam("me"), leases.c.outcome.is_(None))
_LEAD = select(lead.c.driver, lead.c.is_over)


@dataclass(frozen=True, slots=True)
class Driver:
    """A process that runs a study.

    Args:
        id: Its name among the drivers, never used twice.
        place: Which processes it can see and be seen by; equal for equal ones.
        host: The machine, as people call it.
        pid: Its number at that place.
        capacity: Orders that it carries out at a time.
        beat: Its heartbeat: how often it has said that it is alive.
    """

    id: str
    place: str
    host: str
    pid: int
    capacity: int = 0
    beat: int = 0


@dataclass(frozen=True, slots=True)
class Lead:
    """Who leads a study, and whether it is to end.

    Args:
        driver: The leader's id; None where nobody leads.
        is_over: All drivers are to stop what they do, and to leave.
    """

    driver: str | None = None
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """An order in the hands of a driver.

    Args:
        ticket: Names the lease; an order that is handed out again has a new one.
        driver: The id of its holder.
        order: What is to be carried out.
        outcome: What the holder gave, or None as long as it is at work.
    """

    ticket: str
    driver: str
    order: Order
    outcome: Outcome | None = None


class Board:
    """The tables in which the drivers of one study find each other.

    Made by :meth:`open`; for one thread at a time. Each call is one transaction.
    """

    def __init__(self, connection: Connection, *, where: str, delays: Sequence[float]) -> None:
        self._connection = connection
        self._where = where
        self._delays = delays

    @classmethod
    def open(cls, url: str, *, patient: bool = True) -> Self:
        """Open the board of a study that was begun.

        Args:
            url: The address of the study's database.
            patient: Try again for about a minute where the connection to a server is lost.

        Raises:
            LedgerError: The database cannot be reached.
        """
        target = address(url)
        delays = DELAYS_SECONDS if patient else ()
        return cls(connect(target), where=spoken(target), delays=delays)

    @staticmethod
    def spoken(url: str) -> str:
        """Return an address as a message may show it: without a password."""
        return spoken(address(url))

    def close(self) -> None:
        """Let go of the database. Safe to call twice."""
        with translated(self._where):
            self._connection.close()

    def join(self, driver: Driver) -> None:
        """Enter a driver."""
        row = {
            "id": driver.id,
            "place": driver.place,
            "host": driver.host,
            "pid": driver.pid,
            "capacity": driver.capacity,
            "beat": 0,
        }

        def enter(connection: Connection) -> None:
            connection.execute(delete(drivers).where(drivers.c.id == driver.id))
            connection.execute(insert(drivers), row)

        self._do(enter)

    def beat(self, driver: str) -> bool:
        """Send a heartbeat: say that a driver is alive; False where the others have given it up."""
        return self._do(lambda c: c.execute(_ADD_BEAT, {"me": driver}).rowcount == 1)

    def drivers(self) -> list[Driver]:
        """Return all drivers that have entered and not left, alive or not."""
        rows = self._do(lambda c: c.execute(_DRIVERS).all())
        return [Driver(r.id, r.place, r.host, r.pid, r.capacity, r.beat) for r in rows]

    def remove(self, gone: Iterable[str]) -> None:
        """Take out drivers that leave, or are dead, with the leases that they left undone."""
        ids = list(gone)

        def leave(connection: Connection) -> None:
            connection.execute(
                delete(leases).where(leases.c.driver.in_(ids), leases.c.outcome.is_(None))
            )
            connection.execute(delete(drivers).where(drivers.c.id.in_(ids)))

        if ids:
            self._do(leave)

    def lead(self) -> Lead:
        """Say who leads."""
        row = self._do(lambda c: c.execute(_LEAD).one())
        return Lead(row.driver, bool(row.is_over))

    def take_lead(self, driver: str, *, after: str | None) -> bool:
        """Let a driver lead, if the one before it is still who it is thought to be.

        Args:
            driver: Who will lead.
            after: Who leads now and is dead, or None for nobody.

        Returns:
            Whether it leads; another one may have been quicker.
        """
        free = lead.c.driver.is_(None) if after is None else lead.c.driver == after
        values = {"driver": driver, "is_over": 0}

        def take(connection: Connection) -> bool:
            # A write comes first: what was only read may have changed when it is written.
            taken = connection.execute(update(lead).where(free).values(**values))
            return taken.rowcount == 1 or connection.execute(_LEAD).one().driver == driver

        return self._do(take)

    def call_off(self, driver: str) -> None:
        """Ask all drivers to stop, as the one that leads."""
        ours = update(lead).where(lead.c.driver == driver)
        self._do(lambda c: c.execute(ours.values(is_over=1)))

    def give_up_lead(self, driver: str, *, is_over: bool) -> None:
        """Lead no more.

        Args:
            driver: Who led.
            is_over: The others are to leave too; else one of them leads on.
        """
        ours = update(lead).where(lead.c.driver == driver)
        self._do(lambda c: c.execute(ours.values(driver=None, is_over=int(is_over))))

    def lease(self, orders: Iterable[tuple[Order, str]]) -> list[Lease]:
        """Hand orders to drivers; what was leased for their trials before is void.

        Args:
            orders: Each with the id of its driver.
        """
        given = [Lease(secrets.token_hex(8), driver, order) for order, driver in orders]
        rows = [
            {
                "trial": one.order.trial,
                "ticket": one.ticket,
                "driver": one.driver,
                "work": write_order(one.order),
                "outcome": None,
            }
            for one in given
        ]

        def give(connection: Connection) -> None:
            connection.execute(_CLEAR, [{"of_trial": row["trial"]} for row in rows])
            connection.execute(_GIVE, rows)

        if rows:
            self._do(give)
        return given

    def leases(self) -> list[Lease]:
        """Return all leases, also those with an outcome."""
        return self._leases(lambda c: c.execute(_LEASES).all())

    def delivered(self) -> list[Lease]:
        """Return the leases with an outcome."""
        return self._leases(lambda c: c.execute(_DELIVERED).all())

    def work(self, driver: str) -> list[Lease]:
        """Return the leases of a driver that wait for their outcome."""
        return self._leases(lambda c: c.execute(_WORK, {"me": driver}).all())

    def take_back(self, tickets: Sequence[str]) -> None:
        """Void leases; what their holders give will not be taken."""
        if tickets:
            self._do(lambda c: c.execute(_TAKE_BACK, [{"old": ticket} for ticket in tickets]))

    def deliver(self, outcomes: Iterable[tuple[str, Outcome]]) -> list[str]:
        """Put outcomes where the leader finds them.

        Args:
            outcomes: Each with the ticket of its lease.

        Returns:
            The tickets that are void: these orders were given to somebody else.
        """
        rows = [{"mine": ticket, "text": write_outcome(outcome)} for ticket, outcome in outcomes]

        def put(connection: Connection) -> list[str]:
            void = [row for row in rows if connection.execute(_DELIVER, row).rowcount != 1]
            # A transaction whose end was not heard of may have put them there already.
            there = connection.execute(_DELIVERED) if void else ()
            texts = {one.ticket: one.outcome for one in there}
            return [row["mine"] for row in void if texts.get(row["mine"]) != row["text"]]

        return self._do(put) if rows else []

    def _leases(self, read: Callable[[Connection], Sequence[object]]) -> list[Lease]:
        with translated(self._where):
            return [_lease(row) for row in self._patiently(read)]

    def _do(self, work: Callable[[Connection], _T]) -> _T:
        with translated(self._where):
            return self._patiently(work)

    def _patiently(self, work: Callable[[Connection], _T]) -> _T:
        return patiently(self._connection, work, delays=self._delays)


def _lease(row: object) -> Lease:
    ticket, driver, work, text = (
        getattr(row, name) for name in ("ticket", "driver", "work", "outcome")
    )
    order = read_order(work)
    return Lease(ticket, driver, order, None if text is None else read_outcome(text, order))
