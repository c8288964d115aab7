"""A worker process: ``python -m ripieno.executors.worker [MODULE …]``, started by its parent.

The modules are loaded while it waits to be told what it is for.

It talks to its parent over its standard input and output, takes both away from the code
that it runs (what that prints goes to standard error), and leaves at once when the parent
is gone, however that died.
"""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path

from ripieno.executors.batches import carry_out
from ripieno.executors.divisible import Divisible
from ripieno.executors.messages import Close, Pipe, Ready, Seat, SetUp, Stop, Work
from ripieno.executors.parcel import unpack
from ripieno.executors.working import Inbox, cannot_start, work
from ripieno.records import ArtifactStore, Order, Outcome, Runner

__all__ = ["main"]


def main() -> None:
    """Take the runner, then carry orders out until told to leave."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe = _take_pipe()
    for name in sys.argv[1:]:
        with suppress(Exception):  # what needs the module will say so, and say it better
            import_module(name)
    try:
        message = _set_up(pipe)
        body = pipe.receive_bytes()
    except EOFError:
        return
    inbox = Inbox()
    # Listening begins before the runner is read: that may import torch and take seconds.
    threading.Thread(target=_listen, args=(pipe, inbox, message.seat), daemon=True).start()
    try:
        runner, artifacts = unpack(body, message.spans, message.file)
        if message.seat is not None:
            runner = _seated(runner, message.seat)
    except BaseException as error:  # noqa: BLE001 - user code may raise anything when imported
        pipe.send(cannot_start(error))
        return
    del body
    pipe.send(Ready())
    # Where several work together, all look at the same time whether they are to stop.
    carry = carry_out if message.seat is None else _together
    work(pipe, inbox, partial(carry, runner, artifacts=artifacts), kind=type(runner))


def _seated(runner: Divisible, seat: Seat) -> Runner:
    """Return the runner of one of several workers."""
    return runner.at(
        seat.rank, size=seat.size, meeting=seat.meeting, patience_seconds=seat.patience_seconds
    )


def _together(
    runner: Runner, orders: Sequence[Order], *, artifacts: ArtifactStore, stop: Callable[[], bool]
) -> Iterator[Outcome]:
    return runner.run(orders, artifacts, stop)


def _set_up(pipe: Pipe) -> SetUp:
    """Take over the parent's ways to find things."""
    message = pipe.receive()
    assert isinstance(message, SetUp)  # noqa: S101 - the parent's first message
    sys.path[:], sys.argv[:] = message.path, message.arguments
    # The parent set it to let this module be found; programs that are started here must
    # not inherit it.
    os.environ.pop("PYTHONPATH", None)
    if message.python_path is not None:
        os.environ["PYTHONPATH"] = message.python_path
    return message


def _take_pipe() -> Pipe:
    """Move standard input and output out of the reach of the code that will run here."""
    incoming, outgoing = os.dup(0), os.dup(1)
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=lambda: _let_go(incoming, outgoing))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return Pipe(os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb"))


def _let_go(*descriptors: int) -> None:
    """Point descriptors to nothing, in a process that the user's code forked.

    While it held the pipe, the parent could not see that this worker died.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


def _listen(pipe: Pipe, inbox: Inbox, seat: Seat | None) -> None:
    while True:
        try:
            message = pipe.receive()
        except (EOFError, OSError):
            # The parent was killed; whatever runs here has nobody to give its outcome to.
            if seat is not None:
                shutil.rmtree(Path(seat.meeting).parent, ignore_errors=True)
            os._exit(1)
        match message:
            case Work():
                inbox.put(message)
            case Stop():
                inbox.stop.set()
            case Close():
                inbox.close()
                return


if __name__ == "__main__":
    main()
