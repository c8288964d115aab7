"""What drivers of one study say to each other, on SQLite and on a real PostgreSQL."""

import threading
import uuid

import pytest

from ripieno.errors import LedgerError
from ripieno.ledger import Board, Driver, SqlLedger
from ripieno.records import Config, Order, Outcome, OutcomeStatus


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path / 'study.db'}"
    else:
        server = request.getfixturevalue("postgres_server")
        address = server.url(f"board_{uuid.uuid4().hex}")
    SqlLedger.create(address, {"seed": 1}).close()
    return address


@pytest.fixture
def open_board(url):
    boards = []

    def open_board():
        boards.append(Board.open(url))
        return boards[-1]

    yield open_board
    for board in boards:
        board.close()


def driver(name, capacity=2):
    return Driver(name, "here", "host", 4242, capacity)


def order(trial, **more):
    config = Config({"lr": 0.1 + trial / 3, "name": "ä", "flag": True, "none": None})
    return Order(trial, config, more.pop("start", 0), more.pop("stop", 3), **more)


def done(given, **more):
    rows = tuple({"loss": 1.0 / epoch} for epoch in range(given.start + 1, given.stop + 1))
    facts = {"metrics": rows, "seconds": 0.25, "state": "s", "predictions": "p", **more}
    return Outcome(given, OutcomeStatus.DONE, **facts)


def test_drivers_join_beat_and_leave(open_board):
    board = open_board()
    board.join(driver("a", 3))
    board.join(driver("b"))
    assert board.beat("a")
    assert board.beat("a")
    assert not board.beat("nobody")
    assert [(d.id, d.beat, d.capacity) for d in open_board().drivers()] == [
        ("a", 2, 3),
        ("b", 0, 2),
    ]
    board.remove(["a"])
    assert not board.beat("a")
    assert [d.id for d in board.drivers()] == ["b"]


def test_one_leads_and_a_dead_one_is_followed_once(open_board):
    first, second = open_board(), open_board()
    assert first.lead().driver is None
    assert first.take_lead("a", after=None)
    assert first.take_lead("a", after=None)
    assert not second.take_lead("b", after=None)
    assert second.take_lead("b", after="a")
    assert not first.take_lead("c", after="a")
    assert first.lead().driver == "b"
    first.give_up_lead("a", is_over=True)  # it does not lead any more
    assert first.lead().driver == "b"
    second.give_up_lead("b", is_over=True)
    assert (first.lead().driver, first.lead().is_over) == (None, True)
    assert first.take_lead("c", after=None)
    assert not first.lead().is_over


def test_one_of_many_that_want_to_lead_at_once_does(open_board):
    boards = [open_board() for _ in range(6)]
    ready = threading.Barrier(len(boards))
    won = []

    def want(name, board):
        ready.wait()
        if board.take_lead(name, after=None):
            won.append(name)

    threads = [threading.Thread(target=want, args=(str(n), b)) for n, b in enumerate(boards)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [boards[0].lead().driver]


def test_an_order_goes_out_and_comes_back(open_board):
    leader, helper = open_board(), open_board()
    given = order(7, start=2, stop=5, parent=3, state="trial-3-state")
    (lease,) = leader.lease([(given, "b")])
    (work,) = helper.work("b")
    assert (work.order, work.ticket, work.outcome) == (given, lease.ticket, None)
    assert helper.work("c") == leader.delivered() == []
    outcome = done(given, notes="ä\0\ud800")
    assert helper.deliver([(work.ticket, outcome)]) == []
    assert helper.work("b") == []
    (back,) = leader.delivered()
    assert (back.ticket, back.outcome) == (lease.ticket, outcome)
    leader.take_back([lease.ticket])
    assert leader.leases() == []


def test_what_was_given_to_another_is_not_taken(open_board):
    leader, helper = open_board(), open_board()
    (first,) = leader.lease([(order(1), "b")])
    (second,) = leader.lease([(order(1), "c")])
    assert helper.deliver([(first.ticket, done(order(1), state="late"))]) == [first.ticket]
    assert helper.deliver([(second.ticket, done(order(1), state="good"))]) == []
    # The second time it is there already, as after a commit that was not heard of.
    assert helper.deliver([(second.ticket, done(order(1), state="good"))]) == []
    assert helper.deliver([(second.ticket, done(order(1), state="other"))]) == [second.ticket]
    assert [lease.outcome.state for lease in leader.delivered()] == ["good"]


def test_the_dead_leave_what_they_delivered_and_nothing_else(open_board):
    board = open_board()
    board.join(driver("b"))
    leases = board.lease([(order(1), "b"), (order(2), "b"), (order(3), "c")])
    board.deliver([(leases[0].ticket, done(order(1)))])
    board.remove(["b"])
    assert [lease.order.trial for lease in board.leases()] == [1, 3]


def test_a_ledger_writes_only_while_its_driver_leads(url, open_board):
    board, ledger = open_board(), SqlLedger.open(url)
    board.take_lead("a", after=None)
    ledger.write_as("a")
    ledger.record(orders=[order(0)])
    board.take_lead("b", after="a")
    with pytest.raises(LedgerError, match="another process leads"):
        ledger.record(outcomes=[done(order(0))])
    other = SqlLedger.open(url)
    other.write_as("b")
    other.record(outcomes=[done(order(0))])
    assert ledger.refresh()
    assert not ledger.refresh()
    assert ledger.open_orders() == []
    ledger.close()
    other.close()


def test_an_archive_takes_nothing_of_who_was_there(url, open_board, tmp_path):
    board, ledger = open_board(), SqlLedger.open(url)
    board.join(driver("a"))
    board.take_lead("a", after=None)
    board.lease([(order(0), "a")])
    ledger.copy_to(tmp_path / "copy.db")
    ledger.close()
    copied = Board.open(f"sqlite:///{tmp_path / 'copy.db'}")
    assert (copied.drivers(), copied.leases(), copied.lead().driver) == ([], [], None)
    copied.close()
