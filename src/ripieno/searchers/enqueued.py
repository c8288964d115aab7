"""Given configs first, another searcher's afterwards."""

from collections.abc import Iterable, Sequence

from ripieno.records import Config, Trial
from ripieno.searchers.searcher import Searcher

__all__ = ["Enqueued"]

_REPEATS = 1_000


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
        self._repeats = 0
        self._exhausted = False

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once exhausted."""
        configs: list[Config] = []
        while self._waiting and len(configs) < count:
            configs.append(self._waiting.pop())
        while len(configs) < count and not self._exhausted:
            configs += self._fresh(count - len(configs))
        return configs

    def observe(self, trials: Sequence[Trial]) -> None:
        """Pass the trials on, those of enqueued configs included."""
        self._searcher.observe(trials)

    def _fresh(self, count: int) -> list[Config]:
        """Ask the other searcher once, and leave out what was enqueued."""
        suggestions = self._searcher.suggest(count)
        self._exhausted = len(suggestions) < count
        fresh: list[Config] = []
        for config in suggestions:
            if config.digest not in self._digests:
                fresh.append(config)
                self._repeats = 0
                continue
            self._repeats += 1
            if self._repeats == _REPEATS:
                self._exhausted = True
                break
        return fresh
