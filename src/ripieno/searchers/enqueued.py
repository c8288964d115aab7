"""Given configs first, another searcher's afterwards."""

from collections.abc import Iterable, Sequence

from ripieno.records import Config, Trial
from ripieno.searchers.fresh import Fresh
from ripieno.searchers.searcher import Searcher

__all__ = ["Enqueued"]


class Enqueued:
    """Gives a list of configs first, then what another searcher suggests.

    A suggestion that equals one of the list is dropped and replaced by the next. The
    searcher is exhausted when the other one is, or when that one gives nothing but configs
    of the list, 1,000 times in a row (the list holds all of a tiny space).

    Args:
        configs: What to give first, in this sequence, repeats included.
        searcher: What to ask afterwards; it observes all trials.
    """

    def __init__(self, configs: Iterable[Config], searcher: Searcher) -> None:
        self._waiting = list(configs)[::-1]
        self._digests = frozenset(config.digest for config in self._waiting)
        self._searcher = searcher
        self._fresh = Fresh(searcher)

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once exhausted."""
        configs: list[Config] = []
        while self._waiting and len(configs) < count:
            configs.append(self._waiting.pop())
        return configs + self._fresh.take(count - len(configs), without=self._digests)

    def observe(self, trials: Sequence[Trial]) -> None:
        """Pass the trials on, those of enqueued configs included."""
        self._searcher.observe(trials)
