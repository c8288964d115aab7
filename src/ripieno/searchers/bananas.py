"""BANANAS: an ensemble of small networks predicts what mutations of the best configs give.

Source: C. White, W. Neiswanger, Y. Savani, "BANANAS: Bayesian Optimization with Neural
Architectures for Neural Architecture Search", AAAI 2021, Algorithm 1 (five networks, the
absolute error, independent Thompson sampling over mutations). Networks of three layers instead
of ten, as those of ten fail now and then on few rows.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SearchError
from ripieno.records import Config, Objective, Trial
from ripieno.searchers.gaussian_process.targets import standardized
from ripieno.searchers.layout import Layout
from ripieno.searchers.levels import Levels
from ripieno.searchers.memory import Memory
from ripieno.searchers.neighbours import mutate
from ripieno.space import Space

if TYPE_CHECKING:
    from ripieno.searchers.perceptrons import Perceptrons

__all__ = ["Bananas"]

_STEP = 0.1
"""Standard deviation of a mutated number, in units of its scale."""
_PARENTS = 5
"""So many of the best configs are mutated, in turns."""
_FARTHEST = 3
"""Mutations at most between a parent and a candidate."""

Array = NDArray[np.float64]


class Bananas:
    """Suggests the mutation of a good config that a draw from an ensemble's belief likes best.

    The first ``startup`` results come from random configs. Then an ensemble of small networks
    is trained on all results, and anew whenever ``refit`` observations have come since. The
    five best configs are mutated into ``candidates`` others, and anew when the ensemble or the
    best config is another one. For every suggestion, one number is drawn for each candidate from
    the normal distribution with the mean and the standard deviation of the members' answers,
    and the candidate of the best draw is next. So a batch spreads by itself where the members
    do not agree.

    Dead trials count as the worst result. Where trials are trained for unlike times, the
    ensemble learns from the longest time that enough of them reached (see ``Levels``).

    Args:
        space: What to search.
        objective: What makes a trial good.
        seed: A whole number from 0 up.
        startup: Random suggestions before there is an ensemble, counted in results.
        refit: Observations after which the ensemble is trained anew.
        members: Networks of the ensemble.
        candidates: Mutations of the best configs.
        encode: What else the ensemble is told of a config, beside its hyperparameters, as
            ``ripieno.nas.path_encoding`` gives it; always of the same length.

    Raises:
        SearchError: The seed or a number is out of range.
    """

    def __init__(
        self,
        space: Space,
        objective: Objective,
        seed: int = 0,
        *,
        startup: int = 10,
        refit: int = 10,
        members: int = 5,
        candidates: int = 100,
        encode: Callable[[Config], Array] | None = None,
    ) -> None:
        _check(startup=startup, refit=refit, members=members, candidates=candidates)
        self._memory = Memory(space, objective, seed=seed, where="Bananas")
        self._space = space
        self._startup, self._refit = startup, refit
        self._members, self._candidates = members, candidates
        self._encode = encode
        self._layout = Layout(space)
        self._levels = Levels(enough=space.dims + 2)
        self._configs: list[Config] = []
        self._features: list[Array] = []
        self._unlearnt = refit
        self._ensemble: Perceptrons
        self._best = -1
        self._pool: list[Config] = []
        self._answers = np.empty((members, 0))

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once a finite space is exhausted."""
        return self._memory.suggest(count, self._propose)

    def observe(self, trials: Sequence[Trial]) -> None:
        """Learn from trials, as far as they were trained."""
        for result in self._memory.observe(trials):
            row = self._levels.enter(result)
            self._configs[row : row + 1] = [result.config]
            self._features[row : row + 1] = [self._described([result.config])[0]]
            self._unlearnt += 1

    def swap(self, suggested: Config, given: Config) -> None:
        """Note that ``given`` is tried in the place of ``suggested``."""
        self._memory.swap(suggested, given)

    def _propose(self, rng: np.random.Generator) -> Config | None:
        alive = np.isfinite(self._levels.badness)
        if len(self._memory.results) < self._startup or not alive.any():
            return self._memory.draw(rng)
        if self._unlearnt >= self._refit:
            self._learn(rng)
        best = int(np.nanargmin(self._levels.badness))
        if best != self._best or not any(map(self._memory.is_new, self._pool)):
            self._look_around(best, rng)
        drawn = rng.normal(self._answers.mean(axis=0), self._answers.std(axis=0))
        ranked = (self._pool[row] for row in np.argsort(drawn, kind="stable"))
        return self._memory.first_new(ranked, rng)

    def _learn(self, rng: np.random.Generator) -> None:
        """Train an ensemble on what is known."""
        # Loading torch takes a second, which a search that never gets here need not pay.
        from ripieno.searchers.gaussian_process.threads import one_thread
        from ripieno.searchers.perceptrons import Perceptrons

        badness = self._levels.badness
        rows = np.flatnonzero(~np.isnan(badness))
        features = np.array(self._features)[rows]
        targets = standardized(badness[rows])
        seed = int(rng.integers(2**31))
        with one_thread():
            self._ensemble = Perceptrons.fit(features, targets, members=self._members, seed=seed)
        self._unlearnt, self._best = 0, -1

    def _look_around(self, best: int, rng: np.random.Generator) -> None:
        """Mutate the best configs, and let the members answer what comes of them."""
        self._best = best
        self._pool = list(self._mutations(rng))
        features = self._described(self._pool)
        self._answers = self._ensemble.predict(features)

    def _mutations(self, rng: np.random.Generator) -> Iterator[Config]:
        """Yield new configs, each a few mutations away from one of the best, none twice."""
        badness = self._levels.badness
        best = [
            row
            for row in np.argsort(badness, kind="stable")[:_PARENTS]
            if np.isfinite(badness[row])
        ]
        found: set[Config] = set()
        for number in range(self._candidates):
            config = self._configs[best[number % len(best)]]
            for _ in range(_FARTHEST):
                child = mutate(self._space, config, rng=rng, step=_STEP)
                if self._memory.is_new(child) and child not in found:
                    found.add(child)
                    yield child
                    break
                # In a finite space the neighbours of a good one are soon known: beyond them.
                config = child if self._space.allows(child) else config

    def _described(self, configs: Sequence[Config]) -> Array:
        """Return the features of configs, shape ``(configs, features)``."""
        shape = (len(configs), self._space.dims)
        units = np.array([self._space.encode(config) for config in configs]).reshape(shape)
        active = [[name in config for name in self._space.searched] for config in configs]
        features = self._layout.describe(units, np.array(active, np.bool_).reshape(shape))
        if self._encode is None or not configs:
            return features
        return np.hstack([features, [self._encode(config) for config in configs]])


def _check(*, startup: int, refit: int, members: int, candidates: int) -> None:
    if min(startup, refit, members, candidates) < 1 or members < 2:
        raise SearchError(
            "a number is too small for an ensemble that is trained on results.",
            where=f"Bananas({startup=}, {refit=}, {members=}, {candidates=})",
            fix="give members of 2 or more, and 1 or more for the others.",
        )
