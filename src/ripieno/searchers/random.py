"""Independent draws from a space."""

from collections.abc import Sequence

import numpy as np

from ripieno.records import Config, Trial
from ripieno.searchers.seeds import check_seed
from ripieno.space import Space

__all__ = ["Random"]


class Random:
    """Draws every config anew, uniform on the scales that the domains declare.

    Suggestion ``i`` is a function of ``(seed, i)`` alone. In a small space a config may come
    more than once; the searcher is never exhausted.

    Args:
        space: What to draw from.
        seed: A whole number from 0 up.

    Raises:
        SearchError: The seed is not a whole number from 0 up.
        SpaceError: From :meth:`suggest`, when hardly any config keeps the constraints.
    """

    def __init__(self, space: Space, seed: int = 0) -> None:
        self._space = space
        self._seed = check_seed(seed, where="Random")
        self._given = 0

    def suggest(self, count: int) -> list[Config]:
        """Return the next ``count`` configs."""
        return [self._next() for _ in range(count)]

    def observe(self, trials: Sequence[Trial]) -> None:
        """Ignore the trials: a draw is the same whatever they gave."""

    def _next(self) -> Config:
        # A spawn key keeps (seed, i) apart from every other pair, and lets a replay or
        # another process make suggestion i without making those before it.
        sequence = np.random.SeedSequence(self._seed, spawn_key=(self._given,))
        config = self._space.sample(np.random.default_rng(sequence), 1)[0]
        self._given += 1
        return config
