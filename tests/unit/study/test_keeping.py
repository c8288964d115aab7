import os
import time

import numpy as np
import pytest

import ripieno as rp
from ripieno.errors import StudyError
from ripieno.records import Order
from ripieno.study import collect_orphans

SPACE = rp.Space(x=rp.Float(-1.0, 1.0))


def objective(config, report):
    for epoch in range(report.start, report.epochs):
        report.save(epoch=epoch + 1, w=np.full(4, config.x))
        report(epoch=epoch + 1, loss=config.x**2)


@pytest.fixture
def folder(tmp_path):
    """A study with one superseded file, one half-written file and one file of somebody else's."""
    study = rp.search(
        objective, SPACE, metric="loss", scheduler="halving", trials=9, epochs=3,
        out=tmp_path / "study",
    )  # fmt: skip
    study.artifacts.write("trial-0-state", {"w": np.zeros(9)})
    study.close()
    artifacts = tmp_path / "study" / "artifacts"
    (artifacts / f".trial-1-state-{'0' * 16}.{'a' * 32}").write_bytes(b"half")
    (artifacts / "notes.txt").write_text("mine")
    return tmp_path / "study"


def names(folder):
    return sorted(path.name for path in (folder / "artifacts").iterdir())


def test_what_the_record_does_not_name_is_deleted_and_the_rest_is_kept(folder):
    before = names(folder)
    with rp.open(folder, read_only=True) as study:
        needed = {f"{trial.state}.safetensors" for trial in study.trials}
    found = collect_orphans(folder, older_seconds=0.0, dry_run=False)
    assert (len(found.files), found.kept) == (2, 9)
    assert found.size_bytes > 4
    assert set(names(folder)) == needed | {"notes.txt"}
    assert set(before) - set(names(folder)) == {file.path.name for file in found.files}
    assert collect_orphans(folder, older_seconds=0.0, dry_run=False).files == ()


def test_a_dry_run_deletes_nothing(folder):
    before = names(folder)
    assert len(collect_orphans(folder, older_seconds=0.0, dry_run=True).files) == 2
    assert names(folder) == before


def test_a_young_file_may_be_one_that_is_about_to_be_recorded(folder):
    assert collect_orphans(folder, older_seconds=600.0, dry_run=False).files == ()
    (half,) = (folder / "artifacts").glob(".*")
    long_ago = time.time() - 1000
    os.utime(half, (long_ago, long_ago))
    found = collect_orphans(folder, older_seconds=600.0, dry_run=False)
    assert [file.path for file in found.files] == [half.absolute()]


def test_a_state_that_an_open_order_begins_from_is_needed(folder):
    with rp.open(folder, objective=objective) as study:
        best = study.best
        order = Order(best.id, best.config, best.epochs, best.epochs + 1)
        study._ledger.record(orders=[order])  # noqa: SLF001 - as a killed process leaves it
    collect_orphans(folder, older_seconds=0.0, dry_run=False)
    assert f"{best.state}.safetensors" in names(folder)


def test_a_folder_without_a_study_is_refused_and_left_alone(tmp_path):
    (tmp_path / "artifacts").mkdir()
    with pytest.raises(StudyError, match="holds no study"):
        collect_orphans(tmp_path, older_seconds=0.0, dry_run=False)
