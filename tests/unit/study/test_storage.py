"""A study whose record lies in PostgreSQL, and whose states lie in its folder."""

import json
import uuid

import pytest

import ripieno as rp
from ripieno.errors import LedgerError, StudyError
from ripieno.study.folder import Folder

SPACE = rp.Space(x=rp.Float(-1.0, 1.0))


def parabola(config, report):
    for epoch in range(report.start, report.epochs):
        report(epoch=epoch + 1, loss=config.x**2 + 1 / (epoch + 1))


@pytest.fixture
def url(postgres_server):
    return postgres_server.url(f"study_{uuid.uuid4().hex}")


def begin(folder, url, **options):
    return rp.search(
        parabola, SPACE, metric="loss", scheduler="hyperband", trials=9, epochs=3,
        out=folder, storage=url, **options,
    )  # fmt: skip


def told(study):
    return [(trial.config, trial.history, trial.status) for trial in study.trials]


def test_a_study_in_postgresql_is_the_one_in_sqlite(tmp_path, url):
    with begin(tmp_path / "a", url) as there, begin(tmp_path / "b", None) as here:
        assert told(there) == told(here)
    assert not (tmp_path / "a" / "study.db").exists()
    assert (tmp_path / "b" / "study.db").exists()


def test_the_folder_remembers_where_the_record_lies_but_no_password(tmp_path, url):
    secret = url.replace("tester@", "tester:secret@")
    with begin(tmp_path / "a", secret) as study:
        before = told(study)
    assert "secret" not in (tmp_path / "a" / "storage.json").read_text()
    with rp.open(tmp_path / "a", objective=parabola) as again:
        assert told(again) == before
        assert again.finished
    with rp.open(tmp_path / "a", storage=secret, read_only=True) as again:
        assert told(again) == before


def test_a_study_without_a_name_is_called_as_its_folder(tmp_path, postgres_server):
    name = f"Folder-{uuid.uuid4().hex}"
    begin(tmp_path / name, postgres_server.url()).close()
    remembered = json.loads((tmp_path / name / "storage.json").read_text())["url"]
    assert remembered.endswith(f"study={name.lower().replace('-', '_')}")
    (tmp_path / name).rename(tmp_path / "moved")
    with rp.open(tmp_path / "moved", storage=postgres_server.url(), read_only=True) as study:
        assert len(study.trials) == 9


def test_one_name_is_not_taken_twice_and_the_second_folder_is_gone_again(tmp_path, url):
    begin(tmp_path / "a", url).close()
    with pytest.raises(LedgerError, match="there is a study already"):
        begin(tmp_path / "b", url, overwrite=True)
    assert not (tmp_path / "b").exists()
    with rp.open(tmp_path / "a", read_only=True) as study:
        assert len(study.trials) == 9


def test_overwriting_replaces_the_record_too(tmp_path, url):
    begin(tmp_path / "a", url).close()
    with pytest.raises(StudyError, match="already holds a study"):
        begin(tmp_path / "a", url)
    with begin(tmp_path / "a", url, overwrite=True, seed=1) as study:
        assert study.settings.seed == 1


def test_removing_a_study_removes_its_record_and_leaves_what_is_not_its_own(tmp_path, url):
    begin(tmp_path / "a", url).close()
    (tmp_path / "a" / "notes.txt").write_text("mine")
    assert Folder(tmp_path / "a").remove() == ["notes.txt"]
    begin(tmp_path / "b", url).close()
    assert Folder(tmp_path / "b").remove() == []
    assert not (tmp_path / "b").exists()


def test_a_database_without_a_folder_is_refused(url):
    with pytest.raises(StudyError, match="needs a folder"):
        begin(None, url)


def test_an_address_that_cannot_be_read_is_told_without_its_password(tmp_path):
    with pytest.raises(LedgerError, match="cannot be read") as caught:
        begin(tmp_path / "a", "postgresql//ann:secret@host")
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_a_note_of_the_address_that_is_damaged_is_told_as_such(tmp_path, url):
    begin(tmp_path / "a", url).close()
    (tmp_path / "a" / "storage.json").write_text("{")
    with pytest.raises(StudyError, match="cannot be read") as caught:
        rp.open(tmp_path / "a")
    assert "--storage" in caught.value.fix
