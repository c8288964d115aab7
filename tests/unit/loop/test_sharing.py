"""Orders spread over a leader and helpers, in threads of one process with real boards."""

import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from ripieno.errors import LedgerError
from ripieno.executors import InlineExecutor, ObjectiveRunner
from ripieno.ledger import Board, MemoryArtifacts, SqlLedger
from ripieno.loop import Help, HelpEnd, SharedExecutor, Vigil, this_driver
from ripieno.records import Config, Order, Outcome, OutcomeStatus

DONE = OutcomeStatus.DONE


@pytest.fixture
def url(tmp_path):
    address = f"sqlite:///{tmp_path / 'study.db'}"
    SqlLedger.create(address, {}).close()
    return address


@pytest.fixture
def boards(url):
    opened = []

    def open_board():
        opened.append(Board.open(url))
        return opened[-1]

    yield open_board
    board = open_board()
    board.give_up_lead(board.lead().driver, is_over=True)
    for thread in threading.enumerate():
        if isinstance(thread, Helper):
            thread.join(20)
    for board in opened:
        board.close()


def order(trial, stop=1):
    return Order(trial, Config({"x": float(trial)}), 0, stop)


def inline(function=lambda config: config.x):
    return InlineExecutor(ObjectiveRunner(function, "loss"), MemoryArtifacts())


def shared(board, me, inner=None, **more):
    facts = {"vigil": Vigil(60.0), "group": lambda order: order.trial % 2, **more}
    return SharedExecutor(inner or inline(), board, me=me, **facts)


class Helper(threading.Thread):
    """A helper in a thread of its own; a driver that runs until the study is over."""

    def __init__(self, boards, function=lambda config: config.x, capacity=2):
        super().__init__(daemon=True)
        self.me = this_driver(capacity)
        self.board = boards()
        self.board.join(self.me)
        self.help = Help(
            inline(function),
            self.board,
            me=self.me.id,
            vigil=Vigil(60.0),
            is_lost=lambda: False,
        )
        self.end = None

    def run(self):
        self.end = self.help.run()
        self.board.remove([self.me.id])


@pytest.fixture
def leader(boards):
    board, me = boards(), this_driver(1)
    board.join(me)
    assert board.take_lead(me.id, after=None)
    return board, me.id


def collect(executor, count, seconds=20):
    found, deadline = [], time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        found += executor.collect(0.05)
    return sorted(found, key=lambda outcome: outcome.order.trial)


def test_alone_it_is_the_executor_that_it_wraps(leader):
    executor = shared(*leader)
    assert executor.slots == 1
    assert executor.collect() == []
    executor.submit([order(0)])
    assert executor.slots == 0
    (outcome,) = executor.collect()
    assert (outcome.order, outcome.status) == (order(0), DONE)
    assert executor.slots == 1


def test_helpers_carry_out_their_share_and_leave_when_it_is_over(boards, leader):
    helpers = [Helper(boards), Helper(boards)]
    executor = shared(*leader)
    assert executor.slots == 5
    for helper in helpers:
        helper.start()
    executor.submit([order(trial) for trial in range(5)])
    assert len(executor.elsewhere) == 4
    outcomes = collect(executor, 5)
    assert [outcome.order for outcome in outcomes] == [order(trial) for trial in range(5)]
    assert all(outcome.status is DONE for outcome in outcomes)
    executor.collect(0.01)  # what was recorded is taken off the board
    board, me = leader
    assert board.leases() == []
    board.give_up_lead(me, is_over=True)
    for helper in helpers:
        helper.join(20)
    assert [helper.end for helper in helpers] == [HelpEnd.OVER] * 2
    assert sum(helper.help.done for helper in helpers) == 4


def test_orders_of_a_dead_helper_go_out_again(boards, leader):
    dead = this_driver(4)
    board, me = leader
    board.join(dead)
    executor = shared(board, me)
    executor.submit([order(trial) for trial in range(5)])
    held = executor.elsewhere
    assert len(held) == 4
    board.remove([dead.id])
    outcomes = collect(executor, 5)
    assert [outcome.order.trial for outcome in outcomes] == list(range(5))
    assert all(outcome.status is DONE for outcome in outcomes)


def test_an_order_that_kills_everybody_fails_in_the_end(boards, leader):
    board, me = leader
    nobody_here = inline()
    nobody_here.stop()
    executor = shared(board, me, nobody_here)
    submitted, found = False, []
    for _ in range(5):
        assert found == []
        victim = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
        board.join(replace(this_driver(1), pid=victim.pid))
        until = time.monotonic() + 20
        while executor.elsewhere != {7} and time.monotonic() < until:
            executor.collect(0.05)
            if not submitted and executor.slots:
                executor.submit([order(7)])
                submitted = True
        victim.kill()
        victim.wait()
        while executor.elsewhere == {7} and time.monotonic() < until:
            found += executor.collect(0.05)
    (outcome,) = found or executor.collect(1.0)
    assert outcome.status is OutcomeStatus.FAILED
    assert "5 processes" in outcome.error


def test_a_new_leader_takes_over_what_is_out(boards, leader):
    board, me = leader
    helper = Helper(boards)
    first = shared(board, me)
    first.submit([order(trial) for trial in range(3)])
    out = first.elsewhere
    assert len(out) == 2
    board.remove([me])  # it dies with the third
    successor = this_driver(1)
    board.join(successor)
    board.take_lead(successor.id, after=me)
    helper.start()
    everything = [order(trial) for trial in range(3)]
    second = shared(board, successor.id, open_orders=everything)
    assert second.slots >= 3
    second.submit(everything)
    outcomes = collect(second, 3)
    assert [outcome.order.trial for outcome in outcomes] == [0, 1, 2]
    assert helper.help.done == 2


def test_a_lease_that_the_record_knows_nothing_of_is_dropped(boards, leader):
    board, me = leader
    board.lease([(order(5), "gone"), (order(6), "gone")])
    executor = shared(board, me, open_orders=[Order(6, order(6).config, 1, 2)])
    assert executor.slots == 1
    executor.collect(0.0)
    assert board.leases() == []


def test_stop_leaves_the_others_alone(boards, leader):
    release = threading.Event()
    helper = Helper(boards, lambda config: release.wait(20) and config.x)
    executor = shared(*leader)
    helper.start()
    executor.submit([order(trial) for trial in range(3)])
    while len(helper.help.at_work) < 2:
        time.sleep(0.01)
    executor.stop()
    assert executor.slots == 0
    (outcome,) = collect(executor, 1)
    assert outcome.status is OutcomeStatus.STOPPED
    assert len(executor.elsewhere) == 2
    assert executor.collect(0.05) == []
    release.set()
    board, me = leader
    board.give_up_lead(me, is_over=False)
    helper.join(20)
    assert helper.end is HelpEnd.VACANT


def test_call_off_stops_everybody(boards, leader):
    helper = Helper(boards)
    executor = shared(*leader, inline())
    executor.submit([order(trial) for trial in range(3)])
    executor.call_off()
    helper.start()
    outcomes = collect(executor, 3)
    assert [outcome.order.trial for outcome in outcomes] == [0, 1, 2]
    board, me = leader
    assert board.lead().is_over
    board.give_up_lead(me, is_over=True)
    helper.join(20)
    assert helper.end is HelpEnd.OVER


def test_what_has_not_begun_is_divided_anew_when_somebody_comes(boards, leader):
    board, me = leader

    class Wide(ObjectiveRunner):
        @property
        def width(self):
            return 4

    inner = InlineExecutor(Wide(lambda config: config.x, "loss"), MemoryArtifacts())
    executor = shared(board, me, inner)
    executor.submit([order(trial) for trial in range(4)])
    assert executor.elsewhere == set()
    helper = Helper(boards, capacity=4)
    helper.start()
    time.sleep(0.6)  # the leader looks round twice a second
    outcomes = collect(executor, 4)
    assert [outcome.order.trial for outcome in outcomes] == [0, 1, 2, 3]
    assert helper.help.done == 2


def test_what_was_delivered_stays_on_the_board_until_it_can_be_recorded(boards, leader):
    board, me = leader
    helper = this_driver(2)
    board.join(helper)
    leases = board.lease([(order(trial), helper.id) for trial in range(2)])
    done = Outcome(order(1), DONE, metrics=({"loss": 1.0},))
    board.deliver([(leases[1].ticket, done)])
    executor = shared(board, me, open_orders=[order(0), order(1)])
    for _ in range(3):
        assert executor.collect(0.02) == []
    assert [lease.outcome is None for lease in board.leases()] == [True, False]
    executor.submit([order(1)])
    assert [outcome.order.trial for outcome in executor.collect(1.0)] == [1]
    # The loop records it now, and comes back.
    executor.collect(0.02)
    assert [lease.order.trial for lease in board.leases()] == [0]


def test_a_leader_that_was_given_up_stops_at_once(leader):
    lost = threading.Event()

    def check():
        if lost.is_set():
            raise LedgerError("it was silent.", where="here", fix="run it again.")

    inner = inline()
    executor = shared(*leader, inner, check=check)
    executor.submit([order(0), order(1)])
    assert len(executor.collect(1.0)) == 1
    lost.set()
    inner.stop()
    with pytest.raises(LedgerError, match="silent"):
        executor.collect(1.0)
