"""What a searcher suggests, less what is not to be given again."""

from collections.abc import Container

from ripieno.records import Config
from ripieno.searchers.searcher import Searcher

__all__ = ["Fresh"]

_REPEATS = 1_000


class Fresh:
    """Asks a searcher until there is enough that is new.

    It is exhausted when the searcher is, or when that one gives nothing new 1,000 times in a
    row: what is left out may hold all of a tiny space.

    Args:
        searcher: What is asked.
    """

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._repeats = 0
        self._exhausted = False

    def take(self, count: int, *, without: Container[str]) -> list[Config]:
        """Return the next configs; fewer than ``count`` once exhausted.

        Args:
            count: How many.
            without: Digests of configs that are dropped and replaced by the next.
        """
        configs: list[Config] = []
        while len(configs) < count and not self._exhausted:
            configs += self._once(count - len(configs), without)
        return configs

    def _once(self, count: int, without: Container[str]) -> list[Config]:
        suggestions = self._searcher.suggest(count)
        self._exhausted = len(suggestions) < count
        fresh: list[Config] = []
        for config in suggestions:
            if config.digest not in without:
                fresh.append(config)
                self._repeats = 0
                continue
            self._repeats += 1
            if self._repeats == _REPEATS:
                self._exhausted = True
                break
        return fresh
