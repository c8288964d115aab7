"""A searcher that remembers what it was shown."""

from collections.abc import Sequence

from ripieno.records import Config, Trial
from ripieno.searchers import Searcher

__all__ = ["Watched"]


class Watched:
    """Passes everything on to another searcher and keeps a list of what it observed.

    Args:
        searcher: What suggests the configs.

    Attributes:
        asked: How many configs it was asked for.
        observed: The trials of each call of :meth:`observe`.
    """

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self.asked = 0
        self.observed: list[list[Trial]] = []

    def suggest(self, count: int) -> list[Config]:
        """Return what the other searcher suggests."""
        self.asked += count
        return self._searcher.suggest(count)

    def observe(self, trials: Sequence[Trial]) -> None:
        """Keep the trials, and let the other searcher learn from them."""
        self.observed.append(list(trials))
        self._searcher.observe(trials)
