import sqlite3
import subprocess
import sys
import textwrap

import pytest

from ripieno.errors import LedgerError
from ripieno.ledger import SqlLedger
from ripieno.ledger.tables import SCHEMA_VERSION
from ripieno.records import Config, Order, Outcome, OutcomeStatus


def order(trial, start=0, stop=1):
    return Order(trial, Config({"x": trial / 7}), start, stop)


def done(given):
    rows = tuple({"loss": 1 / epoch} for epoch in range(given.start + 1, given.stop + 1))
    return Outcome(given, OutcomeStatus.DONE, metrics=rows, seconds=0.5, state=f"s{given.trial}")


def fill(ledger, trials):
    for trial in range(trials):
        ledger.record(orders=[order(trial, stop=3)])
        ledger.record(outcomes=[done(order(trial, stop=3))])


def fill_with_orders(ledger, trials):
    for trial in trials:
        ledger.record(orders=[order(trial)])


@pytest.fixture
def file(tmp_path):
    """The closed file of a study with 200 trials."""
    path = tmp_path / "study.db"
    ledger = SqlLedger.create(path, {"seed": 1})
    fill(ledger, 200)
    ledger.close()
    return path


def test_a_closed_study_is_one_file(file):
    assert [path.name for path in file.parent.iterdir()] == ["study.db"]


def test_create_makes_the_folder(tmp_path):
    SqlLedger.create(f"sqlite:///{tmp_path}/a/b/study.db", {}).close()
    assert (tmp_path / "a" / "b" / "study.db").is_file()


def test_create_refuses_a_place_that_holds_a_study_and_leaves_it_alone(file):
    with pytest.raises(LedgerError, match="there is a study already") as caught:
        SqlLedger.create(f"sqlite:///{file}", {"seed": 2})
    assert "resume" in caught.value.fix
    assert "another folder" in caught.value.fix
    assert str(file) in caught.value.where
    ledger = SqlLedger.open(file)
    assert ledger.settings == {"seed": 1}
    assert len(ledger.trials()) == 200
    ledger.close()


def test_create_refuses_the_database_of_another_program(tmp_path):
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("CREATE TABLE recipes (id INTEGER)")
    database.close()
    with pytest.raises(LedgerError, match=r"something else \(recipes\)"):
        SqlLedger.create(tmp_path / "study.db", {})


def test_create_refuses_a_file_that_is_no_database_and_leaves_it_alone(tmp_path):
    (tmp_path / "study.db").write_text("my notes\n" * 500)
    with pytest.raises(LedgerError, match="not a database"):
        SqlLedger.create(tmp_path / "study.db", {})
    assert (tmp_path / "study.db").read_text() == "my notes\n" * 500


def test_create_takes_over_where_an_earlier_attempt_was_killed(tmp_path):
    # SQLite leaves an empty file behind when a process dies before the first transaction.
    (tmp_path / "study.db").touch()
    SqlLedger.create(tmp_path / "study.db", {}).close()


def test_create_says_what_is_wrong_with_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot be made") as caught:
        SqlLedger.create(tmp_path / "file" / "inside" / "study.db", {})
    assert "another folder" in caught.value.fix


def test_create_says_what_is_wrong_with_a_file_that_cannot_be_made(tmp_path):
    (tmp_path / "study.db").mkdir()
    with pytest.raises(LedgerError, match="unable to open") as caught:
        SqlLedger.create(tmp_path / "study.db", {})
    assert "writable" in caught.value.fix


def test_create_refuses_settings_that_are_no_json(tmp_path):
    with pytest.raises(LedgerError, match="cannot be written as JSON"):
        SqlLedger.create(tmp_path / "study.db", {"model": object()})
    assert not (tmp_path / "study.db").exists()


def test_settings_cannot_be_changed(file):
    ledger = SqlLedger.open(file)
    with pytest.raises(TypeError):
        ledger.settings["seed"] = 2
    ledger.close()


def test_open_refuses_a_missing_study_and_makes_no_file(tmp_path):
    with pytest.raises(LedgerError, match="no study here"):
        SqlLedger.open(tmp_path / "study.db")
    assert list(tmp_path.iterdir()) == []


def test_open_refuses_an_empty_file(tmp_path):
    (tmp_path / "study.db").touch()
    with pytest.raises(LedgerError, match="no such table") as caught:
        SqlLedger.open(tmp_path / "study.db")
    assert "another folder" in caught.value.fix


def test_open_refuses_a_file_that_is_no_database(tmp_path):
    (tmp_path / "study.db").write_text("my notes\n" * 500)
    with pytest.raises(LedgerError, match="not a database"):
        SqlLedger.open(tmp_path / "study.db")


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.75, 0.9, 0.99])
def test_open_refuses_a_file_that_was_cut_off(file, share):
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(LedgerError) as caught:
        SqlLedger.open(file)
    assert str(file) in caught.value.where
    assert caught.value.fix


def test_open_refuses_a_file_with_pages_of_something_else(file):
    content = bytearray(file.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    file.write_bytes(content)
    with pytest.raises(LedgerError, match=r"damaged|malformed"):
        SqlLedger.open(file)


@pytest.mark.parametrize(
    ("version", "advice"), [(SCHEMA_VERSION + 1, "upgrade"), (0, "begin a new study")]
)
def test_open_refuses_a_version_that_it_does_not_know(file, version, advice):
    with sqlite3.connect(file) as database:
        database.execute("UPDATE study SET schema_version = ?", (version,))
    database.close()
    with pytest.raises(LedgerError, match=f"version {version}") as caught:
        SqlLedger.open(file)
    assert advice in caught.value.fix


def test_a_second_writer_is_found_out_and_changes_nothing(file):
    first, second = SqlLedger.open(file), SqlLedger.open(file)
    first.record(orders=[order(200)])
    with pytest.raises(LedgerError, match="changed by someone else") as caught:
        second.record(orders=[order(200)])
    assert "only one process" in caught.value.fix
    first.record(outcomes=[done(order(200))])
    assert len(first.trials()) == 201
    first.close()
    second.close()


def test_a_reader_sees_what_a_writer_has_recorded_since(file):
    writer, reader = SqlLedger.open(file), SqlLedger.open(file)
    writer.record(orders=[order(200), order(201)])
    writer.record(outcomes=[done(order(200))])
    assert reader.trials() == writer.trials()
    assert list(reader.events()) == list(writer.events())
    writer.close()
    reader.close()


def test_a_record_that_failed_is_forgotten_and_can_be_made_again(file):
    ledger = SqlLedger.open(file)
    with pytest.raises(LedgerError):
        ledger.record(orders=[order(200), order(201), order(200)], clock=9.0)
    assert ledger.open_orders() == []
    assert ledger.clock == 0.0
    ledger.record(orders=[order(200), order(201)])
    assert ledger.open_orders() == [order(200), order(201)]
    ledger.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE trials SET config = '{' WHERE id = 7",
        "UPDATE trials SET config = '[1]' WHERE id = 7",
        "UPDATE metrics SET row = 'nothing' WHERE trial = 7",
        "UPDATE outcomes SET status = 'lost' WHERE seq = 14",
        "UPDATE orders SET stop = start WHERE trial = 7",
    ],
)
def test_rows_that_hold_nonsense_are_told_as_such(file, damage):
    with sqlite3.connect(file) as database:
        database.execute(damage)
    database.close()
    ledger = SqlLedger.open(file)
    with pytest.raises(LedgerError, match="the record holds what cannot be read") as caught:
        ledger.events()
    assert str(file) in caught.value.where
    ledger.close()


def test_a_database_that_is_full_says_so(file):
    ledger = SqlLedger.open(file)
    pages = ledger._connection.exec_driver_sql("PRAGMA page_count").scalar()  # noqa: SLF001
    ledger._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")  # noqa: SLF001
    ledger._connection.rollback()  # noqa: SLF001
    with pytest.raises(LedgerError, match="disk is full") as caught:
        fill_with_orders(ledger, range(200, 2000))
    assert "free some space" in caught.value.fix
    assert len(ledger.trials()) >= 200
    ledger.close()


_FULL_DISK = """
    import resource, sys
    from pathlib import Path
    from ripieno.errors import LedgerError
    from ripieno.ledger import SqlLedger
    from ripieno.records import Config, Order

    ledger = SqlLedger.create(Path(sys.argv[1]), {})
    ledger.record(orders=[Order(0, Config({"x": 0.0}), 0, 1)])
    size = sum(file.stat().st_size for file in Path(sys.argv[1]).parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, size + 100_000))
    recorded = 1
    try:
        for trial in range(1, 100_000):
            ledger.record(orders=[Order(trial, Config({"x": "long " * 100}), 0, 1)])
            recorded += 1
    except LedgerError as error:
        assert len(ledger.open_orders()) == recorded
        print(recorded, error.problem, "|", error.fix)
"""


def test_a_full_disk_ends_a_record_and_loses_nothing_of_the_ones_before(tmp_path):
    file = tmp_path / "study.db"
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FULL_DISK), file],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    recorded, said = finished.stdout.split(" ", 1)
    assert "the database refused" in said
    ledger = SqlLedger.open(file)
    assert len(ledger.open_orders()) == int(recorded)
    ledger.close()


def test_a_process_that_is_killed_loses_nothing_that_was_recorded(tmp_path):
    code = """
        import os, signal, sys
        from pathlib import Path
        from ripieno.ledger import SqlLedger
        from ripieno.records import Config, Order

        ledger = SqlLedger.create(Path(sys.argv[1]), {"seed": 3})
        for trial in range(50):
            ledger.record(orders=[Order(trial, Config({"x": trial}), 0, 1)], clock=float(trial))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    file = tmp_path / "study.db"
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), file], timeout=60, check=False)
    ledger = SqlLedger.open(file)
    assert [trial.config.x for trial in ledger.trials()] == list(range(50))
    assert ledger.clock == 49.0
    ledger.close()
