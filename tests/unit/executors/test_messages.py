import os
import threading
from io import BytesIO

import pytest

from ripieno.errors import WorkerError
from ripieno.executors.messages import Begun, Broke, Gave, Pipe, Ready, SetUp, Stop, Work
from ripieno.records import Config, Order, Outcome, OutcomeStatus

ORDER = Order(3, Config({"x": 0.5}), 1, 2, state="s")
OUTCOME = Outcome(ORDER, OutcomeStatus.DONE, metrics=({"loss": 0.25},), seconds=1.0)


@pytest.fixture
def ends():
    """Two pipes that are connected with each other."""
    (read_a, write_b), (read_b, write_a) = os.pipe(), os.pipe()
    first = Pipe(os.fdopen(read_a, "rb"), os.fdopen(write_a, "wb"))
    second = Pipe(os.fdopen(read_b, "rb"), os.fdopen(write_b, "wb"))
    yield first, second
    first.close()
    second.close()


@pytest.mark.parametrize(
    "message",
    [
        SetUp(("/a", ""), ("main.py", "x"), None),
        Work((ORDER,)),
        Stop(),
        Ready(),
        Begun((3, 4)),
        Gave(OUTCOME),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_arrives_as_it_was_sent(ends, message):
    first, second = ends
    first.send(message)
    assert second.receive() == message


def test_an_error_arrives_with_its_three_parts(ends):
    first, second = ends
    first.send(Broke(WorkerError("it broke.", where="here", fix="mend it.")))
    error = second.receive().error
    assert isinstance(error, WorkerError)
    assert (error.problem, error.where, error.fix) == ("it broke.", "here", "mend it.")


def test_bytes_larger_than_any_buffer_arrive_whole(ends):
    first, second = ends
    body = os.urandom(5_000_000)
    sender = threading.Thread(target=first.send_bytes, args=(body,))
    sender.start()
    assert second.receive_bytes() == body
    sender.join()


def test_what_cannot_be_pickled_leaves_the_pipe_usable(ends):
    first, second = ends
    with pytest.raises((TypeError, AttributeError)):
        first.send(Begun((threading.Lock(),)))
    first.send(Ready())
    assert second.receive() == Ready()


@pytest.mark.parametrize("sent", [b"", b"\x05\x00\x00", b"\x05\x00\x00\x00\x00\x00\x00\x00ab"])
def test_an_end_that_goes_away_in_mid_message_is_an_end_of_file(sent):
    read, write = os.pipe()
    os.write(write, sent)
    os.close(write)
    with os.fdopen(read, "rb") as incoming, pytest.raises(EOFError):
        Pipe(incoming, BytesIO()).receive()
