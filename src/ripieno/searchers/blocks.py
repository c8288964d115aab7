"""Several configs in a row that agree in some hyperparameters, out of any searcher."""

from collections.abc import Collection, Sequence

import numpy as np

from ripieno.errors import SearchError
from ripieno.records import Config, Trial
from ripieno.searchers.searcher import SwappingSearcher
from ripieno.space import Space

__all__ = ["Blocks"]


class Blocks:
    """Lets ``block`` suggestions in a row share the values of some hyperparameters.

    The first of a block is the searcher's own suggestion. For each of the others the searcher
    is asked anew, and what it suggests takes over the shared values of the first: models of
    one architecture, say, that can be trained as one stack, each with the learning rate that
    the searcher chose. The searcher is told what is tried in the place of its suggestion, so
    that it waits for the right config and may suggest its own another time.

    Where such a config is not allowed, or was given before, the searcher's own suggestion
    begins the next block.

    Args:
        searcher: What to ask; it observes all trials.
        space: What it searches.
        shared: Names that the suggestions of a block have in common.
        block: Suggestions of a block.

    Raises:
        SearchError: ``block`` is below 1.
    """

    def __init__(
        self, searcher: SwappingSearcher, space: Space, *, shared: Collection[str], block: int
    ) -> None:
        if block < 1:
            raise SearchError(
                f"block = {block} holds no suggestion.",
                where=f"Blocks(searcher, space, block={block})",
                fix="give 1 for independent suggestions, or more.",
            )
        self._searcher = searcher
        self._space = space
        self._block = block
        self._held = np.array([name in shared for name in space.searched], np.bool_)
        self._first: Config | None = None
        self._left = 0
        self._taken: set[str] = set()

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once the searcher is exhausted."""
        configs: list[Config] = []
        while len(configs) < count:
            suggested = self._searcher.suggest(1)
            if not suggested:
                break
            configs.append(self._next(suggested[0]))
            self._taken.add(configs[-1].digest)
        return configs

    def observe(self, trials: Sequence[Trial]) -> None:
        """Pass the trials on."""
        self._taken.update(trial.config.digest for trial in trials)
        self._searcher.observe(trials)

    def _next(self, suggested: Config) -> Config:
        if self._first is not None and self._left > 0:
            joined = self._join(self._first, suggested)
            if joined == suggested or self._may_give(joined):
                self._left -= 1
                if joined != suggested:
                    self._searcher.swap(suggested, joined)
                return joined
        self._first, self._left = suggested, self._block - 1
        return suggested

    def _may_give(self, config: Config) -> bool:
        return config.digest not in self._taken and self._space.allows(config)

    def _join(self, first: Config, suggested: Config) -> Config:
        """Return ``suggested`` with the shared values of ``first``."""
        # What the shared values make active, and the suggestion does not have, is the first's.
        lacking = [name not in suggested for name in self._space.searched]
        held = self._held | np.array(lacking, np.bool_)
        units = self._space.encode(first), self._space.encode(suggested)
        return self._space.decode(np.where(held, *units))
