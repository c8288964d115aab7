"""A study file as Ripieno wrote it before, made here in SQL, opens and goes on."""

import sqlite3

import pytest

from ripieno.errors import LedgerError
from ripieno.ledger import Board, SqlLedger
from ripieno.ledger.tables import SCHEMA_VERSION
from ripieno.records import Change, Config, Order, Outcome, OutcomeStatus

VERSION_1 = """
CREATE TABLE study (
    id INTEGER NOT NULL, schema_version INTEGER NOT NULL, settings TEXT NOT NULL,
    clock DOUBLE NOT NULL, PRIMARY KEY (id));
CREATE TABLE trials (
    id INTEGER NOT NULL, config TEXT NOT NULL, parent INTEGER, first_epoch INTEGER NOT NULL,
    PRIMARY KEY (id));
CREATE TABLE orders (
    seq INTEGER NOT NULL, trial INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    parent INTEGER, state TEXT, clock DOUBLE NOT NULL, PRIMARY KEY (seq),
    FOREIGN KEY(trial) REFERENCES trials (id));
CREATE TABLE outcomes (
    seq INTEGER NOT NULL, order_seq INTEGER NOT NULL, status TEXT NOT NULL,
    reached INTEGER NOT NULL, seconds DOUBLE NOT NULL, clock DOUBLE NOT NULL, state TEXT,
    predictions TEXT, error TEXT, notes TEXT, PRIMARY KEY (seq),
    FOREIGN KEY(order_seq) REFERENCES orders (seq));
CREATE TABLE metrics (
    trial INTEGER NOT NULL, epoch INTEGER NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (trial, epoch), FOREIGN KEY(trial) REFERENCES trials (id)) WITHOUT ROWID;
INSERT INTO study VALUES (1, 1, '{"seed": 3}', 0.0);
INSERT INTO trials VALUES (0, '{"x":0.5}', NULL, 0), (1, '{"x":0.75}', NULL, 0);
INSERT INTO orders VALUES (1, 0, 0, 1, NULL, NULL, 0.5), (2, 1, 0, 1, NULL, NULL, 0.5);
INSERT INTO outcomes VALUES (3, 1, 'done', 1, 0.25, 2.5, 's0', NULL, NULL, NULL);
INSERT INTO metrics VALUES (0, 1, '{"loss":0.125}');
"""


VERSION_2 = (
    VERSION_1.replace("(1, 1, ", "(1, 2, ")
    + """
CREATE TABLE changes (
    seq INTEGER NOT NULL, content TEXT NOT NULL, clock DOUBLE NOT NULL, PRIMARY KEY (seq));
"""
)


@pytest.fixture(params=[VERSION_1, VERSION_2], ids=["version 1", "version 2"])
def old(request, tmp_path):
    file = tmp_path / "study.db"
    with sqlite3.connect(file) as database:
        database.executescript(request.param)
    database.close()
    return file


def version(file):
    with sqlite3.connect(file) as database:
        found = database.execute("SELECT schema_version FROM study").fetchone()[0]
    database.close()
    return found


def test_an_old_study_is_read_and_goes_on(old):
    ledger = SqlLedger.open(old)
    first = Order(0, Config({"x": 0.5}), 0, 1)
    second = Order(1, Config({"x": 0.75}), 0, 1)
    done = Outcome(first, OutcomeStatus.DONE, metrics=({"loss": 0.125},), seconds=0.25, state="s0")
    assert dict(ledger.settings) == {"seed": 3}
    assert list(ledger.events()) == [first, second, done]
    change = Change(trials=9)
    ledger.record(changes=[change])
    ledger.record(outcomes=[Outcome(second, OutcomeStatus.FAILED, error="no")])
    ledger.close()
    again = SqlLedger.open(old)
    *_, third, last = again.events()
    assert (third, last.status, again.clock) == (change, OutcomeStatus.FAILED, 2.5)
    again.close()
    assert version(old) == SCHEMA_VERSION


def test_an_old_study_is_shared_from_now_on(old):
    SqlLedger.open(old).close()
    board = Board.open(f"sqlite:///{old}")
    assert (board.lead().driver, board.drivers(), board.leases()) == (None, [], [])
    assert board.take_lead("a", after=None)
    board.close()


def test_a_version_of_tomorrow_is_left_alone(old):
    with sqlite3.connect(old) as database:
        database.execute("UPDATE study SET schema_version = ?", (SCHEMA_VERSION + 1,))
    database.close()
    with pytest.raises(LedgerError, match="this Ripieno knows"):
        SqlLedger.open(old)
    assert version(old) == SCHEMA_VERSION + 1
