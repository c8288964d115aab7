"""An archive of anybody's is imported or refused, and nothing lies outside of its folder."""

import hashlib
import json
import shutil
import sqlite3
import stat
import struct
import zipfile
from contextlib import closing, suppress

import pytest
from hypothesis import strategies as st

import ripieno as rp
from fuzz.fuzzing import fuzz, met
from fuzz.hostile import as_text, damaged, names, scalars, tree_with_lies
from ripieno.study import collect_orphans, import_study, list_studies, remove_study

_TABLES = {
    "study": ("id", "schema_version", "settings", "clock"),
    "trials": ("id", "config", "parent", "first_epoch"),
    "orders": ("seq", "trial", "start", "stop", "parent", "state", "clock"),
    "outcomes": (
        "seq", "order_seq", "status", "reached", "seconds", "clock", "state", "predictions",
        "error", "notes",
    ),
    "changes": ("seq", "content", "clock"),
    "metrics": ("trial", "epoch", "row"),
}  # fmt: skip
_OF_JSON = {("study", "settings"), ("trials", "config"), ("changes", "content"), ("metrics", "row")}
_COLUMNS = [(table, column) for table, columns in _TABLES.items() for column in columns]
_STATEMENTS = st.sampled_from(
    [
        "DROP TABLE {}", "DELETE FROM {}", "ALTER TABLE {} RENAME TO other",
        "CREATE TABLE other (x)", "CREATE VIEW other AS SELECT * FROM {}",
        "CREATE TRIGGER t AFTER INSERT ON {} BEGIN DELETE FROM trials; END",
        "ALTER TABLE {} ADD COLUMN more DEFAULT 'x'", "PRAGMA user_version = 99",
        "INSERT INTO {0} SELECT * FROM {0}", "PRAGMA page_size = 512", "VACUUM",
        "ALTER TABLE {0} RENAME TO t1; CREATE VIEW {0} AS SELECT * FROM t1",
        "ALTER TABLE {0} RENAME TO t1; CREATE TABLE {0} AS SELECT * FROM t1 UNION ALL SELECT *"
        " FROM t1",
        "ALTER TABLE {0} RENAME TO t1; CREATE VIEW {0} AS WITH RECURSIVE r(i) AS (SELECT 1 UNION"
        " ALL SELECT i + 1 FROM r) SELECT i, i, i, i, i, i, i FROM r",
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def files(archive):
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist() if name != "ripieno.json"}


@st.composite
def _bad_record(draw, database, scratch):
    """A database whose rows lie; its pages are whole."""
    scratch.write_bytes(database)
    with closing(sqlite3.connect(scratch, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        for _ in range(draw(st.integers(0, 3))):
            table, column = draw(st.sampled_from(_COLUMNS))
            try:
                if not draw(st.integers(0, 6)):
                    connection.executescript(draw(_STATEMENTS).format(table))
                    continue
                old = connection.execute(f"SELECT {column} FROM {table}").fetchall()  # noqa: S608
                value = draw(scalars | st.sampled_from(old or [(None,)]).map(lambda row: row[0]))
                if (table, column) in _OF_JSON and old:
                    tree = json.loads(draw(st.sampled_from(old))[0])
                    if column == "settings" and draw(st.booleans()):
                        space = draw(as_text(tree_with_lies(json.loads(tree["space"]))))
                        value = json.dumps({**tree, "space": space})
                    else:
                        value = draw(as_text(tree_with_lies(tree)))
                place = f"rowid = {draw(st.integers(1, 8))}" if draw(st.booleans()) else "1"
                if table == "metrics":
                    place = "1"
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE {place}", (value,))  # noqa: S608
            except (
                sqlite3.Error,
                OverflowError,
                UnicodeEncodeError,
                ValueError,
                TypeError,
                KeyError,
            ):
                continue  # what SQLite does not take, it cannot give either
    return scratch.read_bytes()


@st.composite
def _bad_files(draw, files, scratch):
    """The files of a study, of which one may lie, be damaged, be missing, or be too much."""
    files = dict(files)
    match draw(st.integers(0, 7)):
        case 0 | 1:
            files["study.db"] = draw(_bad_record(files["study.db"], scratch))
        case 2:
            files["study.db"] = draw(damaged(files["study.db"]) | st.binary(max_size=200))
        case 3:
            name = draw(st.sampled_from(sorted(files)))
            content = files.pop(name)
            if draw(st.booleans()):
                files[draw(names)] = content
        case 4:
            prefix = draw(st.sampled_from(["", "artifacts/", "ensemble/", "/", "../", "./"]))
            files[prefix + draw(names)] = draw(st.binary(max_size=20))
        case 5 | 6:
            name = draw(st.sampled_from(["results.json", "diagnosis.json"]))
            text = draw(as_text(tree_with_lies(json.loads(files[name]))))
            files[name] = text.encode("utf-8", "surrogateescape")
    return files


@st.composite
def _archives(draw, files, scratch):
    """The bytes of an archive: files that lie, with a list in keeping or not, or damage."""
    files = draw(_bad_files(files, scratch))
    listed = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = json.dumps({"version": 1, "sha256": listed})
    if not draw(st.integers(0, 4)):
        manifest = draw(as_text(tree_with_lies(json.loads(manifest))))
    kind = zipfile.ZIP_DEFLATED if not draw(st.integers(0, 9)) else zipfile.ZIP_STORED
    with zipfile.ZipFile(scratch, "w", kind) as archive:
        for name, content in [*files.items(), ("ripieno.json", manifest)]:
            entry = zipfile.ZipInfo(name or "none")
            if not draw(st.integers(0, 19)):
                mode = draw(st.sampled_from([stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO]))
                entry.external_attr = (mode | 0o777) << 16
            with suppress(UnicodeEncodeError):  # no zip can hold it
                archive.writestr(entry, content, kind)
        archive.comment = draw(st.just(b"") | st.binary(max_size=30))
    content = scratch.read_bytes()
    if not draw(st.integers(0, 5)):
        content = _with_other_sizes(content, draw(st.sampled_from([0, 1, 2**31, 2**32 - 2])))
    return draw(damaged(content)) if not draw(st.integers(0, 3)) else content


def _with_other_sizes(content, size):
    """Let the list at the end of an archive declare other sizes."""
    at = content.find(b"PK\x01\x02")
    return content[: at + 20] + struct.pack("<LL", size, size) + content[at + 28 :]


def test_any_archive_is_imported_or_refused(files, fence, tmp_path):
    given = tmp_path / "given.zip"

    def imported_and_used(content):
        given.write_bytes(content)
        with fence.watch() as place:
            try:
                found = met(import_study, given, place)
                assert place.exists() == (found is not None), "after an error there is no folder"
                if found is not None:
                    met(use, place)
                    assert not [path for path in place.rglob("*") if path.is_symlink()]
                    met(remove_study, place)
            finally:
                shutil.rmtree(place, ignore_errors=True)

    fuzz(imported_and_used, _archives(files, tmp_path / "scratch"), examples=60)


def use(place):
    """Do with a study of others what the commands do that run none of its code."""
    list_studies(place.parent)
    met(collect_orphans, place, older_seconds=0.0, dry_run=True)
    with rp.open(place, read_only=True) as study:
        repr(study)
        met(lambda: study.best)
        met(lambda: study.front)
        met(study.to_dataframe)
        met(study.results)
        met(lambda: study.finished)
        for trial in study.trials[:2]:
            met(study.lineage, trial.id)
            met(study.schedule, trial.id)
            if trial.state is not None:
                met(study.artifacts.read, trial.state)
        if len(study.trials) % 4 == 3:
            met(study.report)
