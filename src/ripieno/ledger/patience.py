"""Trying again after the connection to a database server was lost."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

__all__ = ["DELAYS_SECONDS", "patiently"]

T = TypeVar("T")

DELAYS_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0, 10.0)
"""Pauses between tries, twice as long each time: a server may restart within a minute."""

_TRANSIENT = frozenset(
    {
        "40001",  # could not serialize access
        "40P01",  # deadlock detected
        "53300",  # too many connections
        "57P01",  # terminated by the administrator
        "57P02",  # the server crashed
        "57P03",  # the server is starting or shutting down
    }
)


def patiently(
    connection: Connection,
    work: Callable[[Connection], T],
    *,
    again: Callable[[Connection], T] | None = None,
    delays: Sequence[float] | None = None,
) -> T:
    """Do something in one transaction, again where the connection was lost in the middle.

    Args:
        connection: Makes itself anew after a loss.
        work: Is given the connection, in a transaction.
        again: What further tries do; ``work`` where absent. A transaction whose end was not
            heard of may have been written or not, and this has to find out.
        delays: Pauses between tries, in seconds; ``DELAYS_SECONDS`` where absent.

    Raises:
        DBAPIError: Another error, or the last of the tries failed too.
    """
    for delay in DELAYS_SECONDS if delays is None else delays:
        try:
            with connection.begin():
                return work(connection)
        except DBAPIError as error:
            if not _is_transient(connection, error):
                raise
        time.sleep(delay)
        work = again or work
    with connection.begin():
        return work(connection)


def _is_transient(connection: Connection, error: DBAPIError) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    state = getattr(error.orig, "sqlstate", None)
    # Without a state the server did not answer; class 08 is about connections.
    lost = error.connection_invalidated or state is None or str(state).startswith("08")
    return state in _TRANSIENT or (lost and _is_operational(error))


def _is_operational(error: DBAPIError) -> bool:
    # Both mean that the connection failed; a programming error is the same every time.
    return type(error).__name__ in {"OperationalError", "InterfaceError"}
