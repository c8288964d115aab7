"""How a database is reached, and what its errors mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from ripieno.errors import LedgerError
from ripieno.ledger.places import namespace_of

__all__ = ["connect", "file_of", "spoken", "translated"]

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # In WAL mode NORMAL survives the death of any process; only a power failure can take
    # the last transactions with it, and never damages the file.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    # A file may come from somebody else: what its schema says cannot call functions.
    "PRAGMA trusted_schema = OFF",
)
_BUSY_SECONDS = 10.0
_CONNECT_SECONDS = 10
_SQLITE: dict[str, Any] = {"connect_args": {"timeout": _BUSY_SECONDS, "check_same_thread": False}}

_FIXES = {
    "password authentication": "set PGPASSWORD or write ~/.pgpass, and check the user's name.",
    "no password supplied": "set PGPASSWORD, write ~/.pgpass, or put the password into the URL.",
    "permission denied": "let the database's owner grant CREATE on it, or use another database.",
    "connection to server": "see to it that the server runs, and check host, port and database "
    "in the URL, then go on; everything recorded before is kept.",
    "failed to resolve host": "check the name of the host in the URL.",
    "server closed": "start the database server and resume; everything recorded before is kept.",
    "No space left": "free some space on the database server and resume; nothing is lost.",
    'relation "study" does not exist': "check the URL, also its `study=…`, or begin a new study.",
    "disk is full": "free some space and resume; everything recorded before is kept.",
    "disk I/O": "see to it that the disk is there and has space, then resume.",
    "readonly": "make the file and its folder writable, or use another folder.",
    "unable to open": "make sure that the folder exists and is writable, or use another one.",
    "locked": "end the other process that is writing to this study, then try again.",
    "not a database": "point to the study.db of a study, or use another folder.",
    "malformed": "restore the file from a copy, or begin a new study in another folder.",
    "no such table": "point to the study.db of a study, or begin a new one in another folder.",
}


def file_of(url: URL) -> Path | None:
    """Return the file of an SQLite database, or None for any other."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    return Path(str(url.database))


def spoken(url: URL) -> str:
    """Return the URL as a message may show it: without a password."""
    return str(file_of(url) or url.render_as_string(hide_password=True))


def connect(url: URL) -> Connection:
    """Open one connection; transactions begin where they are asked to, and nowhere else.

    Raises:
        LedgerError: The database cannot be reached, or the file is no database.
    """
    sqlite = url.get_backend_name() == "sqlite"
    bare, options = (url, _SQLITE) if sqlite else _for_server(url)
    with translated(spoken(url)):
        try:
            engine = create_engine(bare, poolclass=NullPool, **options)
        except ImportError as error:
            raise LedgerError(
                f"the driver of this database is not installed: {error}.",
                where=spoken(url),
                fix="install it (`pip install 'psycopg[binary]'` for PostgreSQL).",
            ) from error
        if sqlite:
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin)
        return engine.connect()


def _for_server(url: URL) -> tuple[URL, dict[str, Any]]:
    """Return the address as the driver knows it, and how the engine is to be made."""
    arguments: dict[str, Any] = {}
    if url.get_backend_name() == "postgresql":
        arguments["connect_timeout"] = _CONNECT_SECONDS
        namespace = namespace_of(url)
        if namespace is not None:
            # Its characters are checked, so that it is one word among libpq's options.
            others = url.query.get("options", "")
            arguments["options"] = f"{others} -csearch_path={namespace}".strip()
    # All queries of one transaction see the same record, as they do in SQLite.
    options = {"connect_args": arguments, "isolation_level": "REPEATABLE READ"}
    return url.difference_update_query(["study"]), options


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver begins transactions by itself, but not before reads and not before DDL.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
    except BaseException:
        # The pool forgets a connection that it could not set up, and leaves it open.
        connection.close()
        raise
    cursor.close()


def _begin(connection: Connection) -> None:
    # Past SQLAlchemy's own execution, which costs more than the statement.
    connection.connection.cursor().execute("BEGIN")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn what SQLAlchemy raises, and rows that hold nonsense, into a LedgerError."""
    try:
        yield
    except IntegrityError as error:
        raise LedgerError(
            f"the record was changed by someone else: {error.orig}.",
            where=where,
            fix="let only one process run a study at a time, then resume it.",
        ) from error
    except SQLAlchemyError as error:
        said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        fix = next((fix for sign, fix in _FIXES.items() if sign in said), None)
        raise LedgerError(
            f"the database refused: {said.rstrip('.')}.",
            where=where,
            fix=fix or "check the URL, the folder and the database server, then try again.",
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LedgerError(
            f"the record holds what cannot be read: {error}.",
            where=where,
            fix="restore the file from a copy, or begin a new study in another folder.",
        ) from error
