"""Independent draws from a space."""

from collections.abc import Collection, Sequence

import numpy as np

from ripieno.errors import SearchError
from ripieno.records import Config, Trial
from ripieno.searchers.seeds import check_seed
from ripieno.space import Space

__all__ = ["Random"]

_TRIES = 1_000


class Random:
    """Draws every config anew, uniform on the scales that the domains declare, or by a prior.

    Suggestion ``i`` is a function of ``(seed, i)`` alone. In a small space a config may come
    more than once; the searcher is never exhausted.

    With ``shared`` hyperparameters, ``block`` suggestions in a row agree in those and differ
    in the others: models of one architecture, say, that can be trained as one stack. Each
    suggestion by itself is as uniform as before; fewer architectures are seen.

    Args:
        space: What to draw from.
        seed: A whole number from 0 up.
        shared: Names that the suggestions of a block have in common.
        block: Suggestions of a block.

    Raises:
        SearchError: The seed is not a whole number from 0 up, or ``block`` is below 1.
        SpaceError: From :meth:`suggest`, when hardly any config keeps the constraints.
    """

    def __init__(
        self, space: Space, seed: int = 0, *, shared: Collection[str] = (), block: int = 1
    ) -> None:
        if block < 1:
            raise SearchError(
                f"block = {block} holds no suggestion.",
                where=f"Random(space, block={block})",
                fix="give 1 for independent suggestions, or more.",
            )
        self._space = space
        self._seed = check_seed(seed, where="Random")
        self._block = block
        self._held = np.array([name in shared for name in space.searched])
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
        rng = np.random.default_rng(sequence)
        block, self._given = self._given // self._block, self._given + 1
        if self._block == 1 or not self._held.any():
            return self._space.sample(rng, 1)[0]
        # A key of another length is kept apart from all keys of single suggestions.
        common = np.random.SeedSequence(self._seed, spawn_key=(block, self._block))
        return self._within(np.random.default_rng(common), rng)

    def _within(self, common: np.random.Generator, own: np.random.Generator) -> Config:
        """Return a config with the block's shared coordinates, and others of its own."""
        # The first common point that can be completed at all: what all others are tried with.
        held = self._space.encode(self._space.sample(common, 1)[0])
        for _ in range(_TRIES):
            drawn = self._space.favour(own.random(len(held)))
            config = self._space.decode(np.where(self._held, held, drawn))
            if self._space.allows(config):
                return config
        return self._space.sample(own, 1)[0]
