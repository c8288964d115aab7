"""A limit of room, a disk that is full, and trials that all fail."""

import os
import shutil
import subprocess

import numpy as np
import pytest

import ripieno as rp
from ripieno.errors import ArtifactError, DiskLimitError, StudyError
from ripieno.ledger import FileArtifacts
from ripieno.study.disk import read_size

SPACE = rp.Space(x=rp.Float(-1.0, 1.0))
STATE_BYTES = 8 * 1000


def objective(config, report):
    rows = 0.0 if report.load() is None else report.load()["w"][0]
    for epoch in range(report.start, report.epochs):
        rows += config.x
        report.save(epoch=epoch + 1, w=np.full(STATE_BYTES // 8, rows))
        report(epoch=epoch + 1, loss=rows**2)


def search(folder, **options):
    return rp.search(
        objective, SPACE, metric="loss", scheduler="halving", trials=9, epochs=3, out=folder,
        **options,
    )  # fmt: skip


def told(study):
    return [(trial.config, trial.history, trial.status) for trial in study.trials]


def stored_bytes(folder):
    return sum(path.stat().st_size for path in (folder / "artifacts").iterdir())


@pytest.mark.parametrize(
    ("text", "size"),
    [("20GB", 20 * 10**9), ("1.5 TB", 15 * 10**11), ("2MiB", 2**21), ("900", 900), (7, 7),
     ("3g", 3 * 10**9), (None, None)],
)  # fmt: skip
def test_sizes_are_read_as_people_write_them(text, size):
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["much", "-1GB", "0", "GB", "1 PB", ""])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(StudyError, match="is no size"):
        read_size(text)


def test_a_search_pauses_before_its_room_is_used_up_and_goes_on_with_more(tmp_path):
    limit = 8 * STATE_BYTES
    with search(tmp_path / "whole") as whole:
        expected = told(whole)
    with pytest.raises(DiskLimitError, match="has paused") as caught:
        search(tmp_path / "small", disk=limit)
    assert "nothing is lost" in caught.value.fix
    assert stored_bytes(tmp_path / "small") <= limit
    with rp.open(tmp_path / "small", objective=objective) as study:
        begun = len(study.trials)
        assert 2 <= begun < 9
        assert all(trial.history for trial in study.trials)
        with pytest.raises(DiskLimitError):
            study.run()
        assert len(study.trials) == begun
        study.run(disk="1MB")
        assert told(study) == expected
        assert study.finished


def test_states_that_nobody_will_need_make_room(tmp_path):
    options = {"scheduler": "hyperband", "trials": 40, "epochs": 9, "seed": 4}
    with rp.search(objective, SPACE, metric="loss", out=tmp_path / "whole", **options) as whole:
        expected = told(whole)
        assert all(trial.state for trial in whole.trials)
    limit = 24 * STATE_BYTES
    place = tmp_path / "small"
    with rp.search(objective, SPACE, metric="loss", out=place, disk=limit, **options) as study:
        assert (told(study), study.finished) == (expected, True)
        kept = [trial for trial in study.trials if trial.state]
        best = sorted(study.trials, key=lambda trial: trial.history[-1]["loss"])[:10]
        assert 10 <= len(kept) <= 24
        assert {trial.id for trial in best} <= {trial.id for trial in kept}
        for trial in kept:
            assert study.artifacts.read(trial.state)[0]["w"].size == STATE_BYTES // 8
    assert stored_bytes(place) <= limit
    # Opened again it stands where it stood, and may be given more.
    with rp.open(place, objective=objective) as study:
        assert [trial.id for trial in study.trials if trial.state] == [t.id for t in kept]
        study.run(trials=60)
        assert len(study.trials) == 60
        assert told(study)[:40] == expected
    assert stored_bytes(place) <= limit


def test_a_scheduler_that_may_go_on_with_any_trial_gives_none_up(tmp_path):
    with pytest.raises(DiskLimitError, match="has paused"):
        rp.search(
            objective, SPACE, metric="loss", scheduler="pbt", trials=20, epochs=9,
            out=tmp_path / "pbt", disk=8 * STATE_BYTES,
        )  # fmt: skip
    with rp.open(tmp_path / "pbt", read_only=True) as study:
        assert all(trial.state for trial in study.trials if trial.history)


def fill(stores, *, trials, values):
    """Write in turns through several stores of one folder."""
    for trial in range(trials):
        store = stores[trial % len(stores)]
        store.write(f"trial-{trial}", {"w": np.full(values, float(trial))})


class SmallDisk:
    """A real file system of 256 kB at a path."""

    def __init__(self, path):
        self.path = path
        self._programs = {name: shutil.which(name) for name in ("mount", "umount")}

    def mount(self):
        """Say whether that could be done: it takes root, and a container that allows it."""
        if os.name != "posix" or None in self._programs.values():
            return False
        return self._run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(self.path)) == 0

    def grow(self):
        assert self._run("mount", "-o", "remount,size=4m", str(self.path)) == 0

    def remove(self):
        assert self._run("umount", "-l", str(self.path)) == 0

    def _run(self, program, *arguments):
        return subprocess.run(
            [self._programs[program], *arguments], check=False, capture_output=True
        ).returncode


@pytest.fixture
def small_disk(tmp_path):
    disk = SmallDisk(tmp_path / "disk")
    disk.path.mkdir()
    if not disk.mount():
        pytest.skip("file systems cannot be mounted here")
    yield disk
    disk.remove()


def test_no_file_passes_the_limit_of_a_store(tmp_path):
    store = FileArtifacts(tmp_path, limit_bytes=30_000)
    with pytest.raises(DiskLimitError, match="more than 30,000 bytes"):
        fill([store], trials=100, values=500)
    files = store.files()
    assert 6 <= len(files) <= 7
    assert sum(file.size_bytes for file in files) <= 30_000
    store.delete(files[0].key)
    assert store.write("again", {"w": np.zeros(500)})


def test_processes_that_share_a_store_keep_the_limit_together(tmp_path):
    stores = [FileArtifacts(tmp_path, limit_bytes=100_000) for _ in range(4)]
    with pytest.raises(DiskLimitError):
        fill(stores, trials=400, values=100)
    assert 90_000 < sum(file.size_bytes for file in stores[0].files()) <= 100_000


def test_a_disk_that_is_full_pauses_a_search_and_loses_nothing(small_disk, tmp_path):
    place = small_disk.path / "study"
    with search(tmp_path / "whole") as whole:
        expected = told(whole)
    with pytest.raises(OSError, match=r"cannot be written|refused") as caught:
        search(place)
    assert "space" in caught.value.fix
    assert not list((place / "artifacts").glob(".*"))
    small_disk.grow()
    with rp.open(place, objective=objective) as study:
        assert 1 <= len(study.trials) < 9
        study.run()
        assert told(study) == expected


def test_a_write_that_fails_leaves_no_half_of_a_file(tmp_path, monkeypatch):
    store = FileArtifacts(tmp_path)

    def full(content, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ripieno.ledger.artifacts.save_file", full)
    with pytest.raises(ArtifactError, match="No space left") as caught:
        store.write("trial-0", {"w": np.zeros(3)})
    assert "free some space" in caught.value.fix
    assert list(tmp_path.iterdir()) == []


def test_a_study_in_which_everything_fails_stops_with_the_first_error(tmp_path):
    def broken(config):
        raise RuntimeError("no such column: age")

    with pytest.raises(StudyError, match="failed one after the other") as caught:
        rp.search(broken, SPACE, trials=60, out=tmp_path / "study")
    assert "no such column: age" in caught.value.where
    assert "trial 0" in caught.value.where
    with rp.open(tmp_path / "study", read_only=True) as study:
        assert len(study.trials) == 20


def test_some_failures_among_others_stop_nothing(tmp_path):
    def moody(config):
        if config.x < 0.5:
            raise RuntimeError("not today")
        return config.x

    with rp.search(moody, SPACE, trials=60, out=tmp_path / "study") as study:
        assert len(study.trials) == 60
