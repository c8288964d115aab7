"""The record of a study in an SQL database."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from sqlalchemy import URL, Connection, bindparam, insert, inspect, select, update
from sqlalchemy.schema import CreateSchema, DropSchema

from ripieno.errors import LedgerError
from ripieno.ledger import history, tables
from ripieno.ledger.cells import check_cells, check_tables
from ripieno.ledger.connection import connect, file_of, spoken, translated
from ripieno.ledger.draft import Draft, OpenOrder
from ripieno.ledger.migrations import migrate
from ripieno.ledger.patience import patiently
from ripieno.ledger.places import address, namespace_of
from ripieno.records import Change, Order, Outcome, Trial

__all__ = ["SqlLedger"]

_COPIED_AT_ONCE = 10_000
_COUNT_WRITE = (
    update(tables.lead)
    .where(tables.lead.c.driver == bindparam("me"))
    .values(writes=tables.lead.c.writes + 1)
)


class SqlLedger:
    """What happened in one study, in tables of SQLite or PostgreSQL.

    Made by :meth:`create` or :meth:`open`. One process writes to a study at a time, any
    number may read it; :meth:`write_as` has it made sure. Everything that :meth:`record`
    returned for is there after the process is killed. A lost connection to a server is made
    anew for about a minute.
    """

    def __init__(self, connection: Connection, settings: Mapping[str, Any], *, where: str) -> None:
        self._connection = connection
        self._settings = MappingProxyType(dict(settings))
        self._where = where
        self._driver: str | None = None
        self._seq, self._clock = 0, 0.0
        self._states: dict[int, str | None] = {}
        self._open: dict[int, OpenOrder | None] = {}
        self.refresh()

    @classmethod
    def create(cls, url: str | Path, settings: Mapping[str, Any]) -> Self:
        """Begin the record of a new study.

        Args:
            url: ``"sqlite:///folder/study.db"``, ``"sqlite://"`` (in memory), the path of
                an SQLite file, whose folder is made if it is missing, or
                ``"postgresql+psycopg://user@host/database?study=name"``, whose schema
                ``name`` is made if it is missing.
            settings: JSON-able facts that are kept with the study and never changed.

        Raises:
            LedgerError: There is a study already, or nothing can be written there.
        """
        target = address(url)
        where = spoken(target)
        facts = _dumped(settings, where)
        _make_folder(file_of(target))
        connection = connect(target)
        try:
            with translated(where), connection.begin():
                _prepare_namespace(connection, target, where)
                tables.metadata.create_all(connection, checkfirst=False)
                row = {"id": 1, "schema_version": tables.SCHEMA_VERSION, "settings": facts}
                connection.execute(insert(tables.study), {**row, "clock": 0.0})
                connection.execute(insert(tables.lead), tables.NOBODY_LEADS)
            return cls(connection, json.loads(facts), where=where)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def open(cls, url: str | Path) -> Self:
        """Open the record of a study that :meth:`create` began.

        One that an earlier Ripieno wrote is brought into the present form.

        Raises:
            LedgerError: There is no study, its file is damaged, or a later version of
                Ripieno wrote it.
        """
        target = address(url)
        where = spoken(target)
        file = file_of(target)
        if file is not None and not file.is_file():
            raise LedgerError(
                "there is no study here.", where=where, fix="check the path of the study's folder."
            )
        connection = connect(target)
        try:
            with translated(where), connection.begin():
                if file is not None:
                    check_tables(connection, where)
                version = _check_version(connection, where)
                if file is not None:
                    _check_pages(connection, where)
                migrate(connection, version)
                if file is not None:
                    check_cells(connection, where)
                settings = dict(
                    json.loads(connection.scalars(select(tables.study.c.settings)).one())
                )
            return cls(connection, settings, where=where)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def remove(cls, url: str | Path) -> None:
        """Take a study's tables out of a database; one that holds no study is left alone.

        Tables of others stay, and so does a schema that still holds something.

        Raises:
            LedgerError: The database cannot be reached, or does not allow it.
        """
        target = address(url)
        where = spoken(target)
        connection = connect(target)
        try:
            with translated(where), connection.begin():
                namespace = namespace_of(target)
                found = inspect(connection).get_table_names(schema=namespace)
                if tables.study.name not in found:
                    return
                tables.metadata.drop_all(connection, checkfirst=False)
                if namespace is not None and set(found) <= set(tables.metadata.tables):
                    connection.execute(DropSchema(namespace))
        finally:
            connection.close()

    def copy_to(self, url: str | Path) -> None:
        """Write the whole record, as it is at one moment, into a place that holds none.

        Raises:
            LedgerError: There is a study already, or nothing can be written there.
        """
        target = address(url)
        where = spoken(target)
        _make_folder(file_of(target))
        connection = connect(target)
        try:
            with translated(where), connection.begin(), self._connection.begin():
                _prepare_namespace(connection, target, where)
                tables.metadata.create_all(connection, checkfirst=False)
                connection.execute(insert(tables.lead), tables.NOBODY_LEADS)
                for table in tables.RECORD:
                    rows = self._connection.execute(select(table)).mappings()
                    while part := [dict(row) for row in rows.fetchmany(_COPIED_AT_ONCE)]:
                        connection.execute(insert(table), part)
        finally:
            connection.close()

    def refresh(self) -> bool:
        """Read again where the record ends, and say whether another process wrote it on."""
        before = self._seq
        with translated(self._where):
            patiently(self._connection, self._look)
        return self._seq != before

    def _look(self, connection: Connection) -> None:
        self._seq, self._clock = history.read_last(connection)
        self._states = history.read_states(connection)
        self._open = {**history.read_open_orders(connection)}

    def write_as(self, driver: str | None) -> None:
        """Let :meth:`record` write only as long as a driver leads; None for no such guard.

        Args:
            driver: Its id on the study's board.
        """
        self._driver = driver

    @property
    def settings(self) -> Mapping[str, Any]:
        """JSON-able facts that were written when the study was created; never changed."""
        return self._settings

    @property
    def changes(self) -> list[Change]:
        """What a user changed in the study, in the sequence in which it was recorded."""
        with translated(self._where):
            return [change for _, change in patiently(self._connection, history.read_changes)]

    @property
    def clock(self) -> float:
        """Seconds that the study has been running, as of the last record."""
        return self._clock

    def record(
        self,
        *,
        orders: Sequence[Order] = (),
        outcomes: Sequence[Outcome] = (),
        changes: Sequence[Change] = (),
        clock: float = 0.0,
    ) -> list[Outcome]:
        """Write outcomes, changes and orders, in this sequence, in one transaction.

        See :meth:`ripieno.ledger.Ledger.record`.
        """
        now = max(clock, self._clock)
        draft = Draft(self._states, self._open, seq=self._seq, where=self._where)
        told = [draft.add_outcome(outcome, now) for outcome in outcomes]
        for change in changes:
            draft.add_change(change, now)
        for order in orders:
            draft.add_order(order, now)
        with translated(self._where):
            patiently(
                self._connection,
                lambda connection: draft.write(self._guarded(connection), now),
                again=lambda connection: draft.write_again(self._guarded(connection), now),
            )
        # Only now: what was rolled back must not be remembered as written.
        self._clock, self._seq = now, draft.seq
        self._states.update(draft.new_states)
        for trial, order_left in draft.new_open.items():
            if order_left is None:
                self._open.pop(trial, None)
            else:
                self._open[trial] = order_left
        return [outcome for outcome in told if outcome is not None]

    def _guarded(self, connection: Connection) -> Connection:
        """See that the driver leads, and that no other takes the lead before the commit."""
        if self._driver is not None:
            ours = {"me": self._driver}
            if connection.execute(_COUNT_WRITE, ours).rowcount != 1:
                raise LedgerError(
                    "another process leads this study now: this one was silent for too long.",
                    where=self._where,
                    fix="run the command again to take part; nothing that was recorded is lost.",
                )
        return connection

    def events(self) -> Iterator[Order | Outcome | Change]:
        """Yield orders, final outcomes and changes in the sequence in which they were recorded."""
        with translated(self._where):
            return iter(patiently(self._connection, history.read_events))

    def open_orders(self) -> list[Order]:
        """Return what is left of each order without a final outcome, oldest first."""
        left = [order for order in self._open.values() if order is not None]
        return [order.rest for order in sorted(left, key=lambda order: order.seq)]

    def trials(self) -> list[Trial]:
        """Return every trial by number, as far as it got."""
        with translated(self._where):
            return patiently(self._connection, history.read_trials)

    def close(self) -> None:
        """Let go of the database; everything recorded is there already. Safe to call twice."""
        with translated(self._where):
            self._connection.close()


def _dumped(settings: Mapping[str, Any], where: str) -> str:
    try:
        return json.dumps(dict(settings))
    except (TypeError, ValueError) as error:
        raise LedgerError(
            f"the settings of the study cannot be written as JSON: {error}.",
            where=where,
            fix="use dictionaries, lists, strings, numbers, booleans and None.",
        ) from error


def _make_folder(file: Path | None) -> None:
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"the folder {str(file.parent)!r} cannot be made: {error.strerror}.",
            where=str(file),
            fix="make the folder above it writable, or use another folder.",
        ) from error


def _prepare_namespace(connection: Connection, url: URL, where: str) -> None:
    """Make the schema of the study, if its address names one, and see that it is empty."""
    namespace = namespace_of(url)
    if namespace is not None:
        connection.execute(CreateSchema(namespace, if_not_exists=True))
    found = inspect(connection).get_table_names(schema=namespace)
    if tables.study.name in found:
        raise LedgerError(
            "there is a study already.",
            where=where,
            fix="go on with it (`rp.open` or `ripieno resume`), or use another folder"
            + (" or another `?study=…`." if file_of(url) is None else "."),
        )
    if found:
        raise LedgerError(
            f"the database holds the tables of something else ({', '.join(found)}).",
            where=where,
            fix="use another folder or another database.",
        )


def _check_version(connection: Connection, where: str) -> int:
    version: int | None = connection.scalars(select(tables.study.c.schema_version)).one_or_none()
    if version is not None and 1 <= version <= tables.SCHEMA_VERSION:
        return version
    if version is None:
        problem, fix = "the study holds no settings.", "begin a new study in another folder."
    elif version > tables.SCHEMA_VERSION:
        problem = f"the study has version {version}; this Ripieno knows {tables.SCHEMA_VERSION}."
        fix = "upgrade Ripieno (`pip install --upgrade ripieno`)."
    else:
        problem = f"the study has version {version}, which no released Ripieno wrote."
        fix = "open it with the Ripieno that wrote it, or begin a new study."
    raise LedgerError(problem, where=where, fix=fix)


def _check_pages(connection: Connection, where: str) -> None:
    """A file that was cut off opens well and fails later; look at all of it now."""
    said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if said != "ok":
        raise LedgerError(
            f"the file is damaged: {said}.",
            where=where,
            fix="restore the file from a copy, or begin a new study in another folder.",
        )
