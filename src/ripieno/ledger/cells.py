"""Whether an SQLite file of anybody's holds a study's tables, and in them what they may hold.

SQLite keeps in a column whatever it is given, and lets a view without end stand where a table
was. Both are looked at once, when the file is opened, in SQLite's own loops.
"""

from sqlalchemy import Connection, Double, Table, Text

from ripieno.errors import LedgerError
from ripieno.ledger import tables

__all__ = ["check_cells", "check_tables"]


def check_tables(connection: Connection, where: str) -> None:
    """Refuse a file in which something else stands under the name of a study's table.

    Raises:
        LedgerError: It does.
    """
    rows = connection.exec_driver_sql("SELECT lower(name), type, sql FROM sqlite_master")
    for name, kind, text in rows.all():
        virtual = str(text).lstrip().upper().startswith("CREATE VIRTUAL")
        if name in tables.metadata.tables and (kind != "table" or virtual):
            raise _refusal(f"{name!r} is no plain table", where)


def check_cells(connection: Connection, where: str) -> None:
    """Refuse a cell that holds another type than its column.

    Raises:
        LedgerError: There is one.
    """
    for table in tables.metadata.sorted_tables:
        wrong = " OR ".join(_condition(table))
        found = connection.exec_driver_sql(f"SELECT 1 FROM {table.name} WHERE {wrong} LIMIT 1")  # noqa: S608 - our own names
        if found.first() is not None:
            raise _refusal(f"a row of {table.name!r} holds what it cannot hold", where)


def _condition(table: Table) -> list[str]:
    """Return the conditions of which none may hold."""
    found = []
    for column in table.columns:
        kinds = ["integer"]
        if isinstance(column.type, Text):
            kinds = ["text"]
        elif isinstance(column.type, Double):
            kinds += ["real"]
        if column.nullable:
            kinds += ["null"]
        found.append(f"typeof({column.name}) NOT IN ({', '.join(map(repr, kinds))})")
    return found


def _refusal(problem: str, where: str) -> LedgerError:
    return LedgerError(
        f"the file is no record of a study: {problem}.",
        where=where,
        fix="restore the file from a copy, or begin a new study in another folder.",
    )
