"""Who lives: told by beats, by the clock of the one who looks, and by the system."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from ripieno.errors import LedgerError
from ripieno.ledger import Board, Driver, SqlLedger
from ripieno.loop import Presence, Vigil, this_driver


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def far(name, beat):
    return Driver(name, "elsewhere", "other-host", 1, 1, beat)


def test_a_beat_that_stands_still_is_death(clock):
    vigil = Vigil(10.0, clock=clock)
    for second in range(14):
        clock.now = 1000.0 + second
        living = vigil.living([far("still", 5), far("goes", second)])
        assert "goes" in living
        assert ("still" in living) is (second <= 10)


def test_a_pause_in_which_nobody_looked_counts_for_nobody(clock):
    vigil = Vigil(10.0, clock=clock)
    vigil.living([far("a", 1)])
    clock.now += 3600.0  # the machine slept, or the database was away
    assert vigil.living([far("a", 1)]) == {"a"}
    for _ in range(11):
        clock.now += 1.0
        living = vigil.living([far("a", 1)])
    assert living == set()


def test_a_process_of_this_machine_is_looked_for(clock):
    vigil = Vigil(60.0, clock=clock)
    me = this_driver(1)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    other = replace(me, id="child", pid=child.pid)
    assert vigil.living([me, other]) == {me.id, "child"}
    child.kill()
    deadline = time.monotonic() + 10
    # Dead, and not yet waited for: a zombie is as dead as one that is gone.
    while "child" in vigil.living([other]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert vigil.living([me, other]) == {me.id}
    child.wait()
    assert vigil.living([me, other]) == {me.id}


def test_who_could_not_leave_the_board_is_known_to_be_gone_by_its_own_process(url):
    board, me = Board.open(url), this_driver(1)

    opened = []

    def once():
        if opened:
            raise LedgerError("the disk is full.", where=url, fix="free some space.")
        opened.append(Board.open(url))
        return opened[0]

    with Presence(me, once, silence_seconds=60.0, on_lost=lambda: None):
        assert Vigil(60.0).living(board.drivers()) == {me.id}
    assert [driver.id for driver in board.drivers()] == [me.id]
    assert Vigil(60.0).living(board.drivers()) == set()
    board.close()


def test_names_are_never_used_twice():
    assert this_driver(1).id != this_driver(1).id
    assert this_driver(3).pid == os.getpid()


@pytest.fixture
def url(tmp_path):
    address = f"sqlite:///{tmp_path / 'study.db'}"
    SqlLedger.create(address, {}).close()
    return address


def test_presence_beats_and_leaves(url):
    lost = threading.Event()
    board = Board.open(url)
    me = this_driver(1)
    with Presence(me, lambda: Board.open(url), silence_seconds=0.4, on_lost=lost.set) as presence:
        deadline = time.monotonic() + 10
        while board.drivers()[0].beat < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert board.drivers()[0].beat >= 3
    assert board.drivers() == []
    assert not presence.is_lost
    assert not lost.is_set()
    board.close()


def test_a_driver_that_was_given_up_hears_of_it(url):
    lost = threading.Event()
    board, me = Board.open(url), this_driver(1)
    with Presence(me, lambda: Board.open(url), silence_seconds=0.4, on_lost=lost.set) as presence:
        board.remove([me.id])
        assert lost.wait(10)
        assert presence.is_lost
    board.close()


def test_a_driver_that_cannot_reach_the_board_gives_up_before_others_take_over(url):
    lost, reachable = threading.Event(), threading.Event()
    reachable.set()

    class Wire:
        def __init__(self):
            self.board = Board.open(url)
            self.join, self.remove, self.close = (
                self.board.join,
                self.board.remove,
                self.board.close,
            )

        def beat(self, driver):
            if not reachable.is_set():
                raise LedgerError("the line is cut.", where="here", fix="mend it.")
            return self.board.beat(driver)

    me = this_driver(1)
    with Presence(me, Wire, silence_seconds=1.0, on_lost=lost.set):
        time.sleep(0.2)
        reachable.clear()
        cut = time.monotonic()
        assert lost.wait(10)
    assert 0.5 < time.monotonic() - cut < 5.0
