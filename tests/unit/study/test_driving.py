import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

import ripieno as rp
from ripieno.errors import StudyError
from ripieno.ledger import Board, Driver
from ripieno.loop import SILENCE_SECONDS, this_driver
from ripieno.study.driving import silence_seconds


def test_silence_is_a_minute_or_what_the_environment_says(monkeypatch):
    monkeypatch.delenv("RIPIENO_SILENCE_SECONDS", raising=False)
    assert silence_seconds() == SILENCE_SECONDS == 60.0
    monkeypatch.setenv("RIPIENO_SILENCE_SECONDS", "2.5")
    assert silence_seconds() == 2.5


@pytest.mark.parametrize("said", ["soon", "0", "-3", "inf", "nan"])
def test_what_is_no_time_is_refused(monkeypatch, said):
    monkeypatch.setenv("RIPIENO_SILENCE_SECONDS", said)
    with pytest.raises(StudyError, match="no number of seconds") as caught:
        silence_seconds()
    assert "RIPIENO_SILENCE_SECONDS" in caught.value.where


class Beating(threading.Thread):
    """Lets a driver live."""

    def __init__(self, url, driver):
        super().__init__(daemon=True)
        self.url, self.driver, self.over = url, driver, threading.Event()

    def run(self):
        board = Board.open(self.url)
        while not self.over.wait(0.05):
            board.beat(self.driver)
        board.close()


def test_a_file_of_sqlites_is_not_shared_by_machines_that_live(tmp_path, monkeypatch):
    monkeypatch.setenv("RIPIENO_SILENCE_SECONDS", "3")
    space, place = rp.Space(x=rp.Float(0.0, 1.0)), tmp_path / "study"
    with rp.search(lambda config: config.x, space, trials=2, out=place) as study:
        board = Board.open(study.folder.url)
        board.join(Driver("far", "far/linux/another-boot/pid:[1]", "far", 1, 1))
        beating = Beating(study.folder.url, "far")
        beating.start()
        with pytest.raises(StudyError, match="on another machine now") as caught:
            study.run(trials=3)
        assert "--storage postgresql" in caught.value.fix
        beating.over.set()
        beating.join()
        # It is dead now; and so a folder can be copied from a machine that crashed.
        assert study.run(trials=3).finished
        assert board.drivers() == []
        # In a container of its own: another name, other processes, the same kernel.
        _, *kernel, _ = this_driver(1).place.split("/")
        near = "/".join(["container", *kernel, "pid:[1]"])
        board.join(Driver("near", near, "container", 1, 1))
        assert study.run(trials=4).finished
        board.close()


def test_a_folder_that_holds_another_study_is_refused_at_once(tmp_path):
    space, place = rp.Space(x=rp.Float(0.0, 1.0)), tmp_path / "study"
    rp.search(lambda config: config.x, space, trials=2, out=place).close()
    began = time.monotonic()
    for trials in (2, 3):
        with pytest.raises(StudyError, match="already holds a study"):
            rp.search(lambda config: config.x, space, trials=trials, out=place)
    assert time.monotonic() - began < 4.0


def test_a_command_waits_for_one_that_has_only_recorded_its_wishes(tmp_path):
    def slow(config):
        time.sleep(0.2)
        return config.x

    space, place = rp.Space(x=rp.Float(0.0, 1.0)), tmp_path / "study"
    begin = partial(rp.search, slow, space, trials=12, enqueue=[{"x": 0.5}], out=place)
    begin().close()
    with sqlite3.connect(place / "study.db") as database:
        for table in ("metrics", "outcomes", "orders", "trials"):
            database.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    database.close()
    with ThreadPoolExecutor(1) as threads:
        joining = threads.submit(begin)
        time.sleep(0.5)
        with rp.open(place, objective=slow) as study:
            assert study.run().finished
        joined = joining.result(60)
    assert joined.helped is not None
    assert len(joined.trials) == 12
    joined.close()
