"""A searcher that is as sensitive as can be to what it observes, and when."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ripieno.records import Config, Trial
from ripieno.space import Space

__all__ = ["Learner"]


class Learner:
    """Draws each config from a hash of the seed, of all observations and of their sequence.

    It finds no optimum. It shows whether a scheduler that is replayed lets its searcher
    observe the same trials in the same sequence at the same time.

    Args:
        space: What to draw from.
        seed: Changes every draw.
    """

    def __init__(self, space: Space, seed: int = 0) -> None:
        self._space = space
        self._hash = hashlib.sha256(str(seed).encode())
        self._given = 0

    def suggest(self, count: int) -> list[Config]:
        """Return configs that depend on everything before."""
        return [self._next() for _ in range(count)]

    def observe(self, trials: Sequence[Trial]) -> None:
        """Take in the numbers, ends and curves of the trials."""
        for trial in trials:
            facts = (trial.id, trial.config.to_json(), trial.status.value)
            self._hash.update(repr(facts).encode())
            self._hash.update(repr([sorted(row.items()) for row in trial.history]).encode())

    def _next(self) -> Config:
        state = int.from_bytes(self._hash.digest(), "big")
        sequence = np.random.SeedSequence(state, spawn_key=(self._given,))
        self._given += 1
        return self._space.sample(np.random.default_rng(sequence), 1)[0]
