"""A rung that is never full: whoever is among its best may go on at any time."""

import heapq

from ripieno.records import Merit

__all__ = ["OpenRung"]


class OpenRung:
    """The results of one rung, kept so that the next trial to promote is at hand.

    It is for one objective without limits. Telling and promoting cost the logarithm of the
    number of trials: the best ``floor(told / eta)`` lie in one heap, the others in a second
    one, and a trial changes heaps only when the border between them moves.

    Args:
        eta: One trial in ``eta`` may go on.
    """

    def __init__(self, eta: int) -> None:
        self._eta = eta
        self._told = 0
        self._best: list[tuple[float, int]] = []  # the worst of them first, negated
        self._others: list[tuple[float, int]] = []  # the best of them first
        self._among_best: set[int] = set()
        self._ready: list[tuple[float, int]] = []  # may hold trials that no longer are
        self._promoted: set[int] = set()

    @property
    def healthy(self) -> int:
        """How many trials of the rung neither diverged nor failed."""
        return len(self._best) + len(self._others)

    def tell(self, trial: int, merit: Merit | None) -> None:
        """Enter what a trial counts for; None, which ranks last, if it diverged or failed."""
        self._told += 1
        if merit is not None:
            badness = merit.badness[0]
            if self._best and (badness, trial) < _plain(self._best[0]):
                self._admit(badness, trial)
            else:
                heapq.heappush(self._others, (badness, trial))
        places = self._told // self._eta
        while len(self._best) > places:
            badness, trial = _plain(heapq.heappop(self._best))
            self._among_best.remove(trial)
            heapq.heappush(self._others, (badness, trial))
        while len(self._best) < places and self._others:
            self._admit(*heapq.heappop(self._others))

    def promote(self) -> int | None:
        """Return the best trial that may go on and has not yet; None if there is none."""
        while self._ready:
            _, trial = heapq.heappop(self._ready)
            if trial in self._among_best and trial not in self._promoted:
                self._promoted.add(trial)
                return trial
        return None

    def promote_anyway(self) -> int | None:
        """Return the best trial that has not gone on, however few there are to beat."""
        healthy = (*map(_plain, self._best), *self._others)
        waiting = [entry for entry in healthy if entry[1] not in self._promoted]
        if not waiting:
            return None
        trial = min(waiting)[1]
        self._promoted.add(trial)
        return trial

    def _admit(self, badness: float, trial: int) -> None:
        heapq.heappush(self._best, (-badness, -trial))
        self._among_best.add(trial)
        if trial not in self._promoted:
            heapq.heappush(self._ready, (badness, trial))


def _plain(entry: tuple[float, int]) -> tuple[float, int]:
    """Undo the negation that makes a heap give its largest entry first."""
    return -entry[0], -entry[1]
