"""Local search: from neighbour to better neighbour, and anew where there is none.

Source: C. White, S. Nolen, Y. Savani, "Exploring the Loss Landscape in Neural Architecture
Search", UAI 2021 (neighbour by neighbour, the first better one is taken, with restarts).
"""

from collections.abc import Sequence

import numpy as np

from ripieno.errors import SearchError
from ripieno.records import Config, Objective, Trial
from ripieno.searchers.memory import Memory, Result, compared
from ripieno.searchers.neighbours import neighbours
from ripieno.space import Space

__all__ = ["LocalSearch"]

_COARSEST = 0.25
_FINEST = 1.0 / 64.0


class LocalSearch:
    """Tries the neighbours of the best config so far, one by one, and moves as it gets better.

    A walk begins with the best of ``starts`` random configs. The neighbours of a config differ
    from it in one hyperparameter: every other choice, or a number that is one step up or
    down. They are tried in random order; the first that is better is where the walk goes on.
    Where none is, numbers take half of the step, from a quarter of their scale down to a
    sixty-fourth; where that ends too, the walk ends, and another one begins.

    Two trials are compared after the last epoch that both have reached; a dead one loses.
    While all neighbours wait for outcomes, random configs are suggested.

    Args:
        space: What to search.
        objective: What makes a trial good.
        seed: A whole number from 0 up.
        starts: Random configs at the beginning of each walk.

    Raises:
        SearchError: The seed or ``starts`` is out of range.
    """

    def __init__(
        self, space: Space, objective: Objective, seed: int = 0, *, starts: int = 5
    ) -> None:
        if starts < 1:
            raise SearchError(
                f"a walk cannot begin with the best of {starts} configs.",
                where=f"LocalSearch({starts=})",
                fix="give 1 or more.",
            )
        self._memory = Memory(space, objective, seed=seed, where="LocalSearch")
        self._space = space
        self._starts = starts
        self._step = _COARSEST
        self._walk = 0
        self._walk_of: dict[str, int] = {}
        self._observed = 0
        self._best: Result | None = None

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once a finite space is exhausted."""
        return self._memory.suggest(count, self._propose)

    def observe(self, trials: Sequence[Trial]) -> None:
        """Move to a trial of this walk that is better than where the walk stands."""
        known = set(self._memory.results)
        for result in self._memory.observe(trials):
            if self._walk_of.get(result.config.digest, self._walk) != self._walk:
                continue
            self._observed += result.trial not in known
            self._move(result)

    def swap(self, suggested: Config, given: Config) -> None:
        """Note that ``given`` is tried in the place of ``suggested``."""
        self._memory.swap(suggested, given)
        self._walk_of[given.digest] = self._walk_of.pop(suggested.digest, self._walk)

    def _move(self, result: Result) -> None:
        best = self._best
        if best is not None and best.trial == result.trial:
            self._best = result
            return
        if result.dead:
            return
        if best is None:
            self._best = result
            return
        ours, theirs = compared([best, result])
        if theirs < ours:
            self._best = result

    def _propose(self, rng: np.random.Generator) -> Config | None:
        config = self._neighbour(rng) or self._memory.draw(rng)
        if config is not None:
            self._walk_of[config.digest] = self._walk
        return config

    def _neighbour(self, rng: np.random.Generator) -> Config | None:
        """Return a new neighbour of where the walk stands, or None to draw at random."""
        if self._best is None or self._observed < self._starts:
            return None
        while self._step >= _FINEST:
            around = list(neighbours(self._space, self._best.config, step=self._step))
            new = [config for config in around if self._memory.is_new(config)]
            if new:
                return new[int(rng.integers(len(new)))]
            if any(config.digest in self._memory.pending for config in around):
                return None
            self._step /= 2.0
        self._begin()
        return None

    def _begin(self) -> None:
        """Begin another walk."""
        self._walk += 1
        self._observed = 0
        self._best = None
        self._step = _COARSEST
