"""A study whose states lie behind an address, and not in its folder."""

import json

import numpy as np
import pytest

import ripieno as rp
from ftp_server import PASSWORD, FtpServer
from ripieno.errors import ArtifactError, DiskLimitError, StudyError
from ripieno.study import collect_orphans, export_study, import_study, remove_study

SPACE = rp.Space(x=rp.Float(-1.0, 1.0))


def objective(config, report):
    saved = report.load()
    total = float(saved["total"]) if saved else 0.0
    for epoch in range(report.start + 1, report.epochs + 1):
        total += config.x
        report.save(epoch=epoch, total=total, ballast=np.zeros(500))
        report(epoch=epoch, loss=total**2)


def begin(folder, **options):
    given = {"scheduler": "halving", "trials": 9, "epochs": 3, **options}
    return rp.search(objective, SPACE, metric="loss", out=folder, **given)


def told(study):
    return [(trial.config, trial.history, trial.status, trial.state) for trial in study.trials]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def place(tmp_path):
    """An address, and the folder that it leads to."""
    return f"file://{tmp_path}/place", tmp_path / "place"


@pytest.fixture
def server(tmp_path):
    (tmp_path / "served").mkdir()
    server = FtpServer(tmp_path / "served")
    yield server
    server.stop()


@pytest.mark.parametrize("workers", [1, 2])
def test_it_is_the_study_that_it_would_be_in_a_folder(tmp_path, server, workers):
    with begin(tmp_path / "a", artifacts=server.url("a"), workers=workers) as there:
        with begin(tmp_path / "b") as here:
            assert told(there) == told(here)
        for trial in there.trials:
            assert there.artifacts.read(trial.state)[1]["epoch"] == trial.epochs
    assert "artifacts" not in names(tmp_path / "a")
    assert names(server.folder / "a") == names(tmp_path / "b" / "artifacts")


def test_the_folder_remembers_the_address_but_no_password(tmp_path, server):
    with begin(tmp_path / "a", artifacts=server.url("a")) as study:
        before = told(study)
    remembered = (tmp_path / "a" / "artifacts.json").read_text()
    assert json.loads(remembered) == {"url": f"ftp://ann@127.0.0.1:{server.port}/a"}
    with rp.open(tmp_path / "a", read_only=True) as study:
        assert told(study) == before
        with pytest.raises(ArtifactError, match="cannot be read: 530"):
            study.artifacts.read(study.trials[0].state)
    with rp.open(tmp_path / "a", artifacts=server.url("a"), objective=objective) as study:
        study.run(trials=12)
        assert len(study.trials) == 12
        assert study.artifacts.read(study.trials[-1].state)
    assert PASSWORD not in "".join(path.read_text() for path in (tmp_path / "a").glob("*.json"))


def test_it_goes_on_with_what_lies_there(tmp_path, place):
    begin(tmp_path / "a", artifacts=place[0], trials=3).close()
    with rp.open(tmp_path / "a", objective=objective) as study:
        study.run(trials=9)
        with begin(tmp_path / "b") as whole:
            assert {t.id for t in study.trials} == {t.id for t in whole.trials}
        assert all(study.artifacts.read(trial.state) for trial in study.trials)


def test_a_place_is_one_studys_alone(tmp_path, place):
    begin(tmp_path / "a", artifacts=place[0]).close()
    before = names(place[1])
    with pytest.raises(StudyError, match="arrays of a study lie there already") as error:
        begin(tmp_path / "b", artifacts=place[0])
    assert error.value.where == place[0]
    assert not (tmp_path / "b").exists()
    assert names(place[1]) == before
    (place[1] / "notes.txt").write_text("mine")
    begin(tmp_path / "b", artifacts=place[0], overwrite=True, trials=1, scheduler="full").close()
    assert len(names(place[1])) == 2


def test_a_place_that_cannot_be_written_is_told_before_there_is_a_folder(tmp_path, server):
    server.writable = False
    with pytest.raises(ArtifactError, match="cannot be written: 550"):
        begin(tmp_path / "a", artifacts=server.url("a"))
    assert not (tmp_path / "a").exists()


def test_removing_a_study_removes_its_arrays_and_nothing_else(tmp_path, place):
    begin(tmp_path / "a", artifacts=place[0]).close()
    (place[1] / "notes.txt").write_text("mine")
    assert remove_study(tmp_path / "a") == []
    assert not (tmp_path / "a").exists()
    assert names(place[1]) == ["notes.txt"]


def test_a_study_whose_arrays_cannot_be_removed_is_not_removed(tmp_path, server):
    begin(tmp_path / "a", artifacts=server.url("a")).close()
    with pytest.raises(ArtifactError):
        remove_study(tmp_path / "a")  # without the password
    assert "study.db" in names(tmp_path / "a")


def test_what_the_record_does_not_name_is_collected(tmp_path, place):
    with begin(tmp_path / "a", artifacts=place[0]) as study:
        needed = {trial.state for trial in study.trials}
        orphan = study.artifacts.write("trial-0-state", {"w": np.zeros(9)})
    half = f".{orphan}.{'a' * 32}"
    (place[1] / half).write_bytes(b"half")
    assert collect_orphans(tmp_path / "a", older_seconds=60.0, dry_run=False).files == ()
    found = collect_orphans(tmp_path / "a", older_seconds=-1.0, dry_run=False)
    assert {file.path.name for file in found.files} == {half, f"{orphan}.safetensors"}
    assert names(place[1]) == sorted(f"{key}.safetensors" for key in needed)


def test_the_limit_holds_there_too(tmp_path, place):
    with pytest.raises(DiskLimitError, match="the search has paused"):
        begin(tmp_path / "a", artifacts=place[0], disk=30_000, scheduler="pbt", epochs=9)
    assert 0 < sum(path.stat().st_size for path in place[1].iterdir()) <= 30_000


def test_an_archive_brings_all_of_it_into_one_folder(tmp_path, server):
    with begin(tmp_path / "a", artifacts=server.url("a")) as study:
        before = told(study)
    address = json.dumps({"url": server.url("a")})
    (tmp_path / "a" / "artifacts.json").write_text(address)
    export_study(tmp_path / "a", tmp_path / "a.zip")
    server.stop()
    import_study(tmp_path / "a.zip", tmp_path / "b")
    with rp.open(tmp_path / "b", read_only=True) as study:
        assert told(study) == before
        assert all(study.artifacts.read(trial.state) for trial in study.trials)


def test_a_study_in_memory_has_no_arrays_elsewhere(place):
    with pytest.raises(StudyError, match="needs a folder too"):
        begin(None, artifacts=place[0])
    with pytest.raises(StudyError, match="needs a folder too"):
        rp.tune("mlp", "digits", out=":memory:", artifacts=place[0], trials=1)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url"', "[" * 100_000])
def test_a_damaged_address_is_told(tmp_path, place, text):
    begin(tmp_path / "a", artifacts=place[0]).close()
    (tmp_path / "a" / "artifacts.json").write_text(text)
    with pytest.raises(StudyError, match="cannot be read") as error:
        rp.open(tmp_path / "a")
    assert "--artifacts" in error.value.fix
    with rp.open(tmp_path / "a", artifacts=place[0], read_only=True) as study:
        assert study.artifacts.read(study.trials[0].state)
