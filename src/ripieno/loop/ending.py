"""What ends a running study before its time: the clock, Ctrl-C and SIGTERM."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

from ripieno.executors import Executor
from ripieno.loop.budget import StopReason

__all__ = ["Ending"]

_PATIENCE_SECONDS = 3.0


class Ending:
    """Stops an executor, once, and remembers why.

    The first Ctrl-C stops the executor from a thread and leaves the main thread alone, so
    that nothing is half written; a second one raises. A function that is called in this
    process and never looks up would hold that off for ever, so after three seconds of
    waiting for the same outcome it is interrupted.

    SIGTERM is taken as a first Ctrl-C: a machine that is taken away says so with it.

    Args:
        executor: What is to be stopped.
        seconds: Stop after so many seconds; None never.
        call_off: Stops it where all processes that share the study are to stop, for any
            reason but Ctrl-C; the executor's ``stop`` where absent.
    """

    def __init__(
        self,
        executor: Executor,
        seconds: float | None,
        *,
        call_off: Callable[[], None] | None = None,
    ) -> None:
        self.reason: StopReason | None = None
        self._executor = executor
        self._call_off = call_off or executor.stop
        self._timer: threading.Timer | None = None
        if seconds is not None:
            self._timer = threading.Timer(seconds, self.call, (StopReason.BUDGET_SECONDS,))
            self._timer.daemon = True
        self._over = threading.Event()
        self._waits = 0
        self._waiting = False
        self._forced = False
        self._handles_ctrl_c = False
        self._handles_end = False

    def __enter__(self) -> Self:
        if self._timer is not None:
            self._timer.start()
        # A handler of somebody else's has its reasons; signals reach the main thread alone.
        self._handles_ctrl_c = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        self._handles_end = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        )
        if self._handles_ctrl_c:
            signal.signal(signal.SIGINT, self._on_ctrl_c)
        if self._handles_end:
            signal.signal(signal.SIGTERM, self._on_ctrl_c)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._handles_ctrl_c:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._handles_end:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def call(self, reason: StopReason) -> None:
        """Stop the executor; the first reason stands. May come from any thread."""
        self.reason = self.reason or reason
        if reason is StopReason.INTERRUPTED:
            self._executor.stop()
        else:
            self._call_off()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Mark where the loop waits, and may be interrupted."""
        self._waits += 1
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

    def absorbs(self) -> bool:
        """Say whether a KeyboardInterrupt was the first one; the executor is stopped then.

        It comes from Ctrl-C where somebody else handles the signal, from a function that
        raised it, or from our own impatience.
        """
        forced, self._forced = self._forced, False
        if self.reason is StopReason.INTERRUPTED and not forced:
            return False
        self.call(StopReason.INTERRUPTED)
        return True

    def _on_ctrl_c(self, _signal: int, _frame: FrameType | None) -> None:
        if self._forced and not self._waiting:
            # The wait ended by itself just before it was to be interrupted.
            self._forced = False
        elif self.reason is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        else:
            # A thread, because the main one may hold a lock that stopping needs.
            self.reason = StopReason.INTERRUPTED
            threading.Thread(target=self._interrupt, daemon=True).start()

    def _interrupt(self) -> None:
        self._executor.stop()
        wait = self._waits
        if not self._over.wait(_PATIENCE_SECONDS) and self._waiting and self._waits == wait:
            self._forced = True
            _send_ctrl_c()


def _send_ctrl_c() -> None:
    """Interrupt the main thread, a blocking call of the operating system's included."""
    if sys.platform == "win32":
        import _thread

        _thread.interrupt_main()
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
