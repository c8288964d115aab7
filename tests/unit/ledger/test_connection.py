import pytest
from sqlalchemy import make_url

from ripieno.errors import LedgerError
from ripieno.ledger import SqlLedger
from ripieno.ledger.connection import connect, file_of, spoken
from ripieno.ledger.places import address


def test_a_path_stands_for_an_sqlite_file(tmp_path):
    url = address(tmp_path / "what? 100%.db")
    assert file_of(url) == tmp_path / "what? 100%.db"
    SqlLedger.create(tmp_path / "what? 100%.db", {}).close()
    assert (tmp_path / "what? 100%.db").is_file()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://localhost/db"])
def test_other_databases_have_no_file(url):
    assert file_of(make_url(url)) is None


def test_a_password_is_never_spoken():
    url = make_url("postgresql+psycopg://ann:secret@db.example/study")
    assert spoken(url) == "postgresql+psycopg://ann:***@db.example/study"
    with pytest.raises(LedgerError) as caught:
        connect(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["no url", "nonsense://host/db"])
def test_a_url_that_names_no_database_is_a_ledger_error(url):
    with pytest.raises(LedgerError):
        SqlLedger.create(url, {})


def test_an_sqlite_file_is_set_up_for_a_study(tmp_path):
    connection = connect(address(tmp_path / "study.db"))
    found = {
        name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    }
    connection.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_a_transaction_that_raises_is_rolled_back(tmp_path):
    connection = connect(address(tmp_path / "study.db"))

    def interrupted():
        with connection.begin():
            connection.exec_driver_sql("CREATE TABLE found (x INTEGER)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with connection.begin():
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master").all()
    connection.close()
    assert tables == []
