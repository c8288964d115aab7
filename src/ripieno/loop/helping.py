"""A driver that does not lead: it carries out what the leader hands to it."""

import time
from collections.abc import Callable
from enum import StrEnum

from ripieno.executors import Executor
from ripieno.ledger import Board, Lease
from ripieno.loop.ending import Ending
from ripieno.loop.pauses import LONGEST_PAUSE, LOOK_ROUND_SECONDS, SHORTEST_PAUSE
from ripieno.loop.presence import Vigil
from ripieno.records import Outcome

__all__ = ["Help", "HelpEnd"]

_GRACE_SECONDS = 10.0


class HelpEnd(StrEnum):
    """Why a driver helps no longer."""

    OVER = "over"
    """The leader has ended the study, or paused it for all."""
    VACANT = "vacant"
    """Nobody leads: the leader is dead, or left."""
    INTERRUPTED = "interrupted"
    """Ctrl-C, here."""
    LOST = "lost"
    """The others may have given this driver up."""


class Help:
    """Takes orders from a study's board, has them carried out, and brings the outcomes.

    Args:
        inner: Carries the orders out.
        board: Where the drivers meet.
        me: This driver's id.
        vigil: Says who lives.
        is_lost: Says whether the others may have given this driver up.
        watch: Called with the number of orders carried out, now and then.
    """

    def __init__(
        self,
        inner: Executor,
        board: Board,
        *,
        me: str,
        vigil: Vigil,
        is_lost: Callable[[], bool],
        watch: Callable[[int], None] | None = None,
    ) -> None:
        self._inner = inner
        self._board = board
        self._me = me
        self._vigil = vigil
        self._is_lost = is_lost
        self._watch = watch or (lambda _done: None)
        self._leases: dict[int, Lease] = {}
        self._looked_round = -LOOK_ROUND_SECONDS
        self._leader_lives = True
        self.done = 0

    @property
    def at_work(self) -> list[int]:
        """The trials that are being trained here."""
        return list(self._leases)

    def run(self) -> HelpEnd:
        """Help until there is a reason not to.

        Raises:
            WorkerError, ArtifactError: Orders cannot be carried out here.
            KeyboardInterrupt: Ctrl-C was pressed a second time.
        """
        pause = SHORTEST_PAUSE
        until: float | None = None
        with Ending(self._inner, None) as ending:
            while True:
                self._watch(self.done)
                end = self._reason_to_end(ending)
                if end is HelpEnd.VACANT or end is HelpEnd.LOST:
                    return end
                if end is None:
                    self._take_work()
                else:
                    self._inner.stop()
                    until = until or time.monotonic() + _GRACE_SECONDS
                    if not self._leases or time.monotonic() > until:
                        return end
                outcomes = self._collect(ending, pause)
                self._deliver(outcomes)
                pause = SHORTEST_PAUSE if outcomes else min(2 * pause, LONGEST_PAUSE)

    def _reason_to_end(self, ending: Ending) -> HelpEnd | None:
        if self._is_lost():
            return HelpEnd.LOST
        if ending.reason is not None:
            return HelpEnd.INTERRUPTED
        lead = self._board.lead()
        if time.monotonic() - self._looked_round > LOOK_ROUND_SECONDS:
            self._looked_round = time.monotonic()
            self._leader_lives = lead.driver in self._vigil.living(self._board.drivers())
        if lead.is_over and (lead.driver is None or self._leader_lives):
            return HelpEnd.OVER
        if lead.driver is None or not self._leader_lives:
            return HelpEnd.VACANT
        return None

    def _take_work(self) -> None:
        new = [one for one in self._board.work(self._me) if one.order.trial not in self._leases]
        if new:
            self._leases.update((lease.order.trial, lease) for lease in new)
            self._inner.submit([lease.order for lease in new])

    def _collect(self, ending: Ending, seconds: float) -> list[Outcome]:
        try:
            with ending.waiting():
                if self._leases:
                    return self._inner.collect(seconds)
                time.sleep(seconds)
        except KeyboardInterrupt:
            if not ending.absorbs():
                raise
        return []

    def _deliver(self, outcomes: list[Outcome]) -> None:
        done = [(self._leases.pop(one.order.trial).ticket, one) for one in outcomes]
        # What is void was given to others while this driver was silent; theirs will count.
        void = self._board.deliver(done)
        self.done += len(done) - len(void)
