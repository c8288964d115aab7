"""An archive gives back the study, and nothing in one can do harm."""

import hashlib
import json
import shutil
import sqlite3
import uuid
import zipfile
from contextlib import closing

import pytest

import ripieno as rp
from ripieno.errors import LedgerError, RipienoError, StudyError
from ripieno.study import export_study, import_study


@pytest.fixture
def archive(tuned, tmp_path):
    """The archive of a finished study."""
    tuned.finish()
    export_study(tmp_path / "study", tmp_path / "study.zip")
    return tmp_path / "study.zip"


def rewrite(archive, change, **options):
    """Write an archive anew with other files, its manifest in keeping."""
    with zipfile.ZipFile(archive) as old:
        files = {name: old.read(name) for name in old.namelist() if name != "ripieno.json"}
    change(files)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    with zipfile.ZipFile(archive, "w", **options) as new:
        for name, content in files.items():
            new.writestr(name, content)
        new.writestr("ripieno.json", json.dumps({"version": 1, "sha256": hashes}))


def refused(archive, tmp_path, kind=StudyError):
    """Import what must be refused; nothing may be left, nor lie elsewhere."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(kind) as caught:
        import_study(archive, tmp_path / "new" / "study")
    (tmp_path / "new").rmdir()
    assert sorted(tmp_path.rglob("*")) == before
    assert caught.value.fix
    return caught.value.problem


def test_a_study_comes_back_whole(archive, tuned, tmp_path, arrays, factory):
    before = tuned.trials
    members = tuned.results().ensemble.members
    shutil.rmtree(tmp_path / "study")
    found = import_study(archive, tmp_path / "again")
    assert (found.trials, found.runs) == (6, ())
    with rp.open(tmp_path / "again", model=factory, data=arrays) as study:
        assert study.trials == before
        assert study.finished
        assert study.results().ensemble.members == members
        assert len(study.ensemble().members) == len(members)
    left = {path.name for path in (tmp_path / "again").iterdir()}
    assert left == {"artifacts", "ensemble", "study.db", "report.html", "results.json"}


def test_a_record_in_postgresql_comes_along_as_sqlite(tmp_path, postgres_server):
    url = postgres_server.url(f"study_{uuid.uuid4().hex}")
    space = rp.Space(x=rp.Float(0, 1))
    with rp.search(lambda c: c.x, space, trials=3, out=tmp_path / "a", storage=url) as study:
        before = study.trials
    export_study(tmp_path / "a", tmp_path / "a.zip")
    import_study(tmp_path / "a.zip", tmp_path / "b")
    assert (tmp_path / "b" / "study.db").is_file()
    with rp.open(tmp_path / "b", read_only=True) as study:
        assert study.trials == before


def test_a_file_is_not_replaced(archive, tmp_path):
    with pytest.raises(StudyError, match="exists already"):
        export_study(tmp_path / "study", archive)


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(tuned, tmp_path):
    with pytest.raises(StudyError, match="cannot be written"):
        export_study(tmp_path / "study", tmp_path / "gone" / "study.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


def test_a_study_that_lost_an_array_is_not_exported(tuned, tmp_path):
    next((tmp_path / "study" / "artifacts").iterdir()).unlink()
    with pytest.raises(StudyError, match="cannot be written"):
        export_study(tmp_path / "study", tmp_path / "study.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


def test_a_folder_that_is_there_is_left_alone(archive, tmp_path):
    with pytest.raises(StudyError, match="already holds a study"):
        import_study(archive, tmp_path / "study")
    assert (tmp_path / "study" / "study.db").is_file()


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        "/evil.json",
        "artifacts/../../evil.json",
        "ensemble/../../evil.json",
        "ensemble/.evil.json",
        "ensemble/a/evil.json",
        "ensemble\\..\\evil.json",
        "artifacts/evil.pkl",
        "study.db-wal",
        "storage.json",
        "model.py",
        "ensemble/evil.json\n",
        "ensemble/",
    ],
)
def test_a_name_that_no_study_has_is_refused(archive, tmp_path, name):
    rewrite(archive, lambda files: files.update({name: b"{}"}))
    assert "is no file of a study" in refused(archive, tmp_path)


def test_a_name_twice_is_refused(archive, tmp_path):
    rewrite(archive, lambda files: files.update({"REPORT.HTML": b"x", "ensemble/a.json": b""}))
    assert "list of files" in refused(archive, tmp_path)


def test_compressed_entries_are_refused_so_that_no_file_grows(archive, tmp_path):
    rewrite(
        archive,
        lambda files: files.update({"report.html": b"0" * 10_000_000}),
        compression=zipfile.ZIP_DEFLATED,
    )
    assert "compressed" in refused(archive, tmp_path)


def test_a_changed_byte_is_found(archive, tmp_path):
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    assert "cannot be read" in refused(archive, tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_refused(archive, tmp_path, share):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    assert "cannot be read" in refused(archive, tmp_path)


def test_a_record_without_its_arrays_is_refused(archive, tmp_path):
    def lose(files):
        del files[next(name for name in files if name.startswith("artifacts/"))]

    rewrite(archive, lose)
    assert "lacks 1 of the arrays" in refused(archive, tmp_path, RipienoError)


def test_a_record_that_is_no_database_is_refused(archive, tmp_path):
    rewrite(archive, lambda files: files.update({"study.db": b"notes " * 1000}))
    assert "not a database" in refused(archive, tmp_path, LedgerError)


def test_only_the_rows_of_a_record_are_taken(archive, tmp_path):
    def arm(files):
        (tmp_path / "x.db").write_bytes(files["study.db"])
        with closing(sqlite3.connect(tmp_path / "x.db")) as database:
            database.execute("CREATE TABLE evil (x)")
            database.execute(
                "CREATE TRIGGER t AFTER INSERT ON orders BEGIN DELETE FROM trials; END"
            )
            database.commit()
        files["study.db"] = (tmp_path / "x.db").read_bytes()
        (tmp_path / "x.db").unlink()

    rewrite(archive, arm)
    import_study(archive, tmp_path / "again")
    with closing(sqlite3.connect(tmp_path / "again" / "study.db")) as database:
        found = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert not {"evil", "t"} & found
    assert {"study", "trials", "orders", "outcomes", "metrics"} <= found


def test_an_archive_without_a_record_is_refused(archive, tmp_path):
    rewrite(archive, lambda files: files.pop("study.db"))
    assert "no study.db" in refused(archive, tmp_path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE outcomes SET seconds = 'long'", "what it cannot hold"),
        ("UPDATE trials SET config = '[1]'", "is no config"),
        ('UPDATE metrics SET row = \'{"loss": "low"}\'', "holds no metrics"),
        ("UPDATE metrics SET row = '{\"loss\": 1' || printf('%.400c', '0') || '}'", "no metrics"),
        ('INSERT INTO changes VALUES (999, \'{"enqueued": ["x"]}\', 0)', "no change of a study"),
        (
            "UPDATE study SET settings = replace(settings, '\"epochs\": 3', '\"epochs\": [3]')",
            "epochs",
        ),
    ],
)
def test_a_record_whose_rows_lie_is_refused(archive, tmp_path, change, problem):
    def lie(files):
        database = tmp_path / "given.db"
        database.write_bytes(files["study.db"])
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute(change)
        files["study.db"] = database.read_bytes()
        database.unlink()

    rewrite(archive, lie)
    assert problem in refused(archive, tmp_path, RipienoError)


def test_a_view_without_end_under_the_name_of_a_table_is_refused(archive, tmp_path):
    def lie(files):
        database = tmp_path / "given.db"
        database.write_bytes(files["study.db"])
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("DROP TABLE changes")
            connection.execute(
                "CREATE VIEW changes AS WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL "
                "SELECT i + 1 FROM r) SELECT i AS seq, '{}' AS content, 0.0 AS clock FROM r"
            )
        files["study.db"] = database.read_bytes()
        database.unlink()

    rewrite(archive, lie)
    assert "'changes' is no plain table" in refused(archive, tmp_path, LedgerError)
