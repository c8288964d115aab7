"""A real server: studies side by side, lost connections, a server that crashes."""

import threading
import uuid

import psycopg
import pytest
from sqlalchemy import make_url

from ripieno.errors import LedgerError
from ripieno.ledger import SqlLedger, patience
from ripieno.ledger.draft import Draft
from ripieno.records import Change, Config, Order, Outcome, OutcomeStatus


def order(trial):
    return Order(trial, Config({"x": trial / 7}), 0, 1)


def done(trial):
    row = {"loss": trial / 3}
    return Outcome(order(trial), OutcomeStatus.DONE, metrics=(row,), seconds=0.1, state=f"s{trial}")


@pytest.fixture
def url(postgres_server):
    return postgres_server.url(f"study_{uuid.uuid4().hex}")


@pytest.fixture
def ask(postgres_server):
    """A function that carries out a statement as somebody else."""
    with psycopg.connect(host=postgres_server.folder, user="tester", dbname="postgres") as other:
        other.autocommit = True
        yield other.execute


def cut_off(ask):
    """End every connection to the server but our own."""
    ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


def test_studies_of_one_database_do_not_see_each_other(url, postgres_server):
    first = SqlLedger.create(url, {"seed": 1})
    second = SqlLedger.create(postgres_server.url(f"study_{uuid.uuid4().hex}"), {"seed": 2})
    first.record(orders=[order(0)])
    assert second.trials() == []
    assert (first.settings["seed"], second.settings["seed"]) == (1, 2)
    first.close()
    second.close()


def test_a_study_is_created_once(url):
    SqlLedger.create(url, {"seed": 1}).close()
    with pytest.raises(LedgerError, match="there is a study already") as caught:
        SqlLedger.create(url, {"seed": 2})
    assert "?study=" in caught.value.fix


def test_a_study_that_is_not_there_is_told_as_such(url):
    with pytest.raises(LedgerError, match="does not exist") as caught:
        SqlLedger.open(url)
    assert "study=…" in caught.value.fix


def test_removing_a_study_takes_its_tables_and_leaves_those_of_others(url, ask):
    name = make_url(url).query["study"]
    SqlLedger.create(url, {}).close()
    ask(f"CREATE TABLE {name}.notes (x INTEGER)")
    SqlLedger.remove(url)
    SqlLedger.remove(url)
    left = ask("SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [name])
    assert left.fetchall() == [("notes",)]
    ask(f"DROP TABLE {name}.notes")
    SqlLedger.create(url, {}).close()
    SqlLedger.remove(url)
    gone = ask("SELECT count(*) FROM information_schema.schemata WHERE schema_name = %s", [name])
    assert gone.fetchone() == (0,)


def test_a_lost_connection_is_made_anew(url, ask):
    ledger = SqlLedger.create(url, {})
    ledger.record(orders=[order(0)])
    cut_off(ask)
    ledger.record(outcomes=[done(0)], orders=[order(1)], clock=2.0)
    cut_off(ask)
    assert [trial.state for trial in ledger.trials()] == ["s0", None]
    cut_off(ask)
    assert list(ledger.events()) == [order(0), done(0), order(1)]
    ledger.close()


def test_a_record_whose_end_was_not_heard_of_is_written_once(url, ask, monkeypatch):
    ledger = SqlLedger.create(url, {})
    ledger.record(orders=[order(0)])
    write = Draft.write
    tries = []

    def write_and_lose(draft, connection, clock):
        write(draft, connection, clock)
        tries.append(clock)
        if len(tries) == 1:
            # The server has it, and the answer is lost.
            connection.connection.commit()
            cut_off(ask)

    monkeypatch.setattr(Draft, "write", write_and_lose)
    more = Change(trials=9)
    ledger.record(outcomes=[done(0)], changes=[more], orders=[order(1)], clock=3.0)
    ledger.record(outcomes=[done(1)], clock=4.0)
    assert tries == [3.0, 4.0]
    assert list(ledger.events()) == [order(0), done(0), more, order(1), done(1)]
    ledger.close()


def test_a_record_that_was_lost_on_the_way_is_sent_again(url, ask, monkeypatch):
    ledger = SqlLedger.create(url, {})
    ledger.record(orders=[order(0)])
    write = Draft.write
    tries = []

    def write_and_lose(draft, connection, clock):
        write(draft, connection, clock)
        tries.append(clock)
        if len(tries) == 1:
            cut_off(ask)

    monkeypatch.setattr(Draft, "write", write_and_lose)
    ledger.record(outcomes=[done(0)], orders=[order(1)], clock=3.0)
    assert tries == [3.0, 3.0]
    assert list(ledger.events()) == [order(0), done(0), order(1)]
    ledger.close()


def test_a_second_writer_is_found_out_and_changes_nothing(url):
    first = SqlLedger.create(url, {})
    second = SqlLedger.open(url)
    first.record(orders=[order(0)])
    with pytest.raises(LedgerError, match="changed by someone else"):
        second.record(orders=[order(0)])
    first.record(outcomes=[done(0)])
    assert len(first.trials()) == 1
    first.close()
    second.close()


def test_a_server_that_crashes_and_comes_back_is_waited_for(url, postgres_server):
    ledger = SqlLedger.create(url, {})
    ledger.record(orders=[order(0)])
    postgres_server.stop("immediate")
    back = threading.Timer(0.3, postgres_server.start)
    back.start()
    ledger.record(outcomes=[done(0)], clock=2.0)
    back.join()
    assert list(ledger.events()) == [order(0), done(0)]
    ledger.close()


def test_a_server_that_stays_away_ends_the_record_with_a_message(url, postgres_server, monkeypatch):
    ledger = SqlLedger.create(url, {})
    ledger.record(orders=[order(0)])
    monkeypatch.setattr(patience, "DELAYS_SECONDS", (0.01, 0.02))
    postgres_server.stop("fast")
    try:
        with pytest.raises(LedgerError, match="the database refused") as caught:
            ledger.record(outcomes=[done(0)])
        assert "recorded before is kept" in caught.value.fix
        with pytest.raises(LedgerError, match="connection to server"):
            SqlLedger.open(url)
    finally:
        postgres_server.start()
    assert ledger.open_orders() == [order(0)]
    ledger.record(outcomes=[done(0)])
    assert list(ledger.events()) == [order(0), done(0)]
    ledger.close()
