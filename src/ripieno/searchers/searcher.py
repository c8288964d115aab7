"""The protocol of everything that proposes configs."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ripieno.records import Config, Trial

__all__ = ["Searcher", "SwappingSearcher"]


class Searcher(Protocol):
    """Proposes configs, and may learn from trials.

    A searcher is deterministic: the same seed and the same observations give the same
    suggestions in any process, and ``suggest(a)`` followed by ``suggest(b)`` gives the same
    configs as ``suggest(a + b)``. It holds no state that cannot be rebuilt by constructing
    it again and replaying its calls.
    """

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs to try; fewer than ``count`` once the space is exhausted."""

    def observe(self, trials: Sequence[Trial]) -> None:
        """Learn from trials that were trained further, failed and diverged ones included.

        Of a trial that was observed before, the last observation holds. Each row carries all
        metrics, whatever the search is after. Trials of elsewhere have negative numbers.
        """


@runtime_checkable
class SwappingSearcher(Searcher, Protocol):
    """A searcher that can be told that another config is tried than the one it suggested."""

    def swap(self, suggested: Config, given: Config) -> None:
        """Wait for ``given`` instead of ``suggested``, which may be suggested again.

        Args:
            suggested: The last suggestion.
            given: Allowed, and neither suggested nor observed before.
        """
