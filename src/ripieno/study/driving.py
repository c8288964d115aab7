"""One session of a study: to lead it, or to help the process that does."""

import os
import sys
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial

from ripieno.errors import LedgerError, StudyError
from ripieno.executors import Executor
from ripieno.ledger import Board, Driver, SqlLedger
from ripieno.loop import (
    BEATS_PER_SILENCE,
    SILENCE_SECONDS,
    Help,
    HelpEnd,
    Presence,
    SharedExecutor,
    StopReason,
    Vigil,
    on_one_machine,
    this_driver,
)
from ripieno.records import Order

__all__ = ["Driven", "Driving", "is_run", "silence_seconds"]

_SILENCE = "RIPIENO_SILENCE_SECONDS"
_TELL_EVERY_SECONDS = 10.0
_BEATS_TO_WAIT = 3


@dataclass(frozen=True, slots=True)
class Driven:
    """What a session came to.

    Args:
        reason: Why it ended; None where the process that led has ended the study.
        helped: Orders carried out for another process; None if this one led at the end.
    """

    reason: StopReason | None
    helped: int | None = None


def silence_seconds() -> float:
    """Return after how long a silent process is dead to the others that share its study.

    Raises:
        StudyError: The environment says something that is no number of seconds.
    """
    said = os.environ.get(_SILENCE, "")
    if not said:
        return SILENCE_SECONDS
    with suppress(ValueError):
        if 0.0 < float(said) < float("inf"):
            return float(said)
    raise StudyError(
        f"{said!r} is no number of seconds.",
        where=f"environment variable {_SILENCE}",
        fix=f"unset it for {SILENCE_SECONDS:g} s, or set a positive number.",
    )


def is_run(url: str) -> bool:
    """Say whether a process runs the study now, as far as can be seen at once.

    Raises:
        LedgerError: The database cannot be read.
    """
    with closing(Board.open(url)) as board:
        return bool(Vigil(SILENCE_SECONDS).living(board.drivers()))


@dataclass(frozen=True, slots=True)
class Driving:
    """Leads a study, or helps whoever leads it, and leads it on if that process dies.

    Args:
        ledger: Its record.
        url: Where that lies.
        hosts: Carries orders out in this process.
        group: Says which orders belong together.
        lead: Runs the loop, from where the record ends.
        moved: Is told where others have written the record on since it was looked at.
        show: Say on standard error for whom this process works.
    """

    ledger: SqlLedger
    url: str
    hosts: Executor
    group: Callable[[Order], Hashable]
    lead: Callable[[SharedExecutor], StopReason]
    moved: Callable[[], None]
    show: bool

    def run(self) -> Driven:
        """Take part until the study is over, or Ctrl-C is pressed here.

        Raises:
            LedgerError: The record cannot be reached, or the others took this process for dead.
            RipienoError: Whatever leading or carrying out orders raises.
            KeyboardInterrupt: Ctrl-C was pressed a second time.
        """
        silence = silence_seconds()
        me, vigil = this_driver(self.hosts.slots), Vigil(silence)
        presence = Presence(
            me,
            partial(Board.open, self.url, patient=False),
            silence_seconds=silence,
            on_lost=self.hosts.stop,
        )
        with closing(Board.open(self.url)) as board:
            self._check_reach(board, me, silence)
            with presence:
                return self._take_part(board, me=me.id, vigil=vigil, presence=presence)

    def _check_reach(self, board: Board, me: Driver, silence: float) -> None:
        """Refuse a file of SQLite's that processes of several machines would write to.

        Drivers of another machine may be long dead: the folder was copied, or this machine
        started anew. They are given some beats' time to show that they live.
        """
        if not self.url.startswith("sqlite"):
            return
        far = {d.id: d.beat for d in board.drivers() if not on_one_machine(me, d)}
        until = time.monotonic() + _BEATS_TO_WAIT * silence / BEATS_PER_SILENCE
        while far and time.monotonic() < until:
            time.sleep(min(silence / BEATS_PER_SILENCE, 0.5))
            living = [d for d in board.drivers() if far.get(d.id, d.beat) != d.beat]
            if living:
                raise StudyError(
                    f"the study is run on another machine now ({living[0].host}), and its record "
                    "is a file of SQLite's, which machines cannot share.",
                    where=Board.spoken(self.url),
                    fix="begin the study with --storage postgresql://… to run it on several "
                    "machines, or end the other process first.",
                )
        board.remove(far)

    def _take_part(self, board: Board, *, me: str, vigil: Vigil, presence: Presence) -> Driven:
        work = Help(
            self.hosts,
            board,
            me=me,
            vigil=vigil,
            is_lost=lambda: presence.is_lost,
            watch=_Teller(board) if self.show else None,
        )

        def check() -> None:
            if presence.is_lost:
                raise self._lost()

        while not _takes_lead(board, vigil, me):
            end = work.run()
            if end is HelpEnd.LOST:
                raise self._lost()
            if end is not HelpEnd.VACANT:
                if self.ledger.refresh():
                    self.moved()
                here = end is HelpEnd.INTERRUPTED
                return Driven(StopReason.INTERRUPTED if here else None, work.done)
        return Driven(self._lead(board, me=me, vigil=vigil, at_work=work.at_work, check=check))

    def _lead(
        self,
        board: Board,
        *,
        me: str,
        vigil: Vigil,
        at_work: Sequence[int],
        check: Callable[[], None],
    ) -> StopReason:
        over = False
        try:
            if self.ledger.refresh():
                self.moved()
            self.ledger.write_as(me)
            company = SharedExecutor(
                self.hosts,
                board,
                me=me,
                vigil=vigil,
                group=self.group,
                check=check,
                open_orders=self.ledger.open_orders(),
                at_work=at_work,
            )
            reason = self.lead(company)
            over = reason is not StopReason.INTERRUPTED
            return reason
        finally:
            self.ledger.write_as(None)
            with suppress(LedgerError):  # there may be an error on its way that says more
                board.give_up_lead(me, is_over=over)

    def _lost(self) -> LedgerError:
        return LedgerError(
            "this process was silent for too long, and others have taken over what it did.",
            where=Board.spoken(self.url),
            fix="run the command again to take part; nothing that was recorded is lost.",
        )


def _takes_lead(board: Board, vigil: Vigil, me: str) -> bool:
    """Try to lead, where nobody does or the one that did is dead."""
    leader = board.lead().driver
    if leader is not None and leader in vigil.living(board.drivers()):
        return leader == me
    return board.take_lead(me, after=leader)


class _Teller:
    """Says on standard error for whom this process works, and how much it has done."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._told_at = float("-inf")

    def __call__(self, done: int) -> None:
        """Say it, every ten seconds."""
        now = time.monotonic()
        if now - self._told_at < _TELL_EVERY_SECONDS:
            return
        self._told_at = now
        leader = self._board.lead().driver
        names = [f"{d.host}, process {d.pid}" for d in self._board.drivers() if d.id == leader]
        whom = names[0] if names else "another process"
        print(  # noqa: T201 - progress
            f"helping {whom}, which leads this study: {done} orders carried out",
            file=sys.stderr,
            flush=True,
        )
