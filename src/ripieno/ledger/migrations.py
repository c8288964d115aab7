"""Bringing the tables of a study that an earlier Ripieno wrote into their present shape.

Each step leads from one version to the next and adds to the record; what stands in it is
never rewritten.
"""

from collections.abc import Callable

from sqlalchemy import Connection, insert, update

from ripieno.ledger import tables

__all__ = ["migrate"]


def migrate(connection: Connection, version: int) -> None:
    """Carry out the steps from a version to the present one; none where it is that already.

    Args:
        connection: In a transaction, so that a study is migrated as a whole or not at all.
        version: The version of the tables as they are, from 1 up.
    """
    for step in _STEPS[version - 1 :]:
        step(connection)
    if version < tables.SCHEMA_VERSION:
        connection.execute(update(tables.study).values(schema_version=tables.SCHEMA_VERSION))


def _add_changes(connection: Connection) -> None:
    """Version 2 records what a user changes in the middle of a study."""
    tables.changes.create(connection)


def _add_sharing(connection: Connection) -> None:
    """Version 3 lets several processes carry out one study."""
    for table in (tables.lead, tables.drivers, tables.leases):
        table.create(connection)
    connection.execute(insert(tables.lead), tables.NOBODY_LEADS)


_STEPS: tuple[Callable[[Connection], None], ...] = (_add_changes, _add_sharing)
