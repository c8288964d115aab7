"""The tree-structured Parzen estimator: where the good configs are dense, and the others not.

Source: J. Bergstra, R. Bardenet, Y. Bengio, B. Kegl, "Algorithms for Hyper-Parameter
Optimization", NeurIPS 2011, section 4; S. Falkner, A. Klein, F. Hutter, "BOHB: Robust and
Efficient Hyperparameter Optimization at Scale", ICML 2018 (multivariate kernels, the level,
and the share of random configs).
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SearchError
from ripieno.records import Config, Objective, Trial
from ripieno.searchers.layout import Layout
from ripieno.searchers.levels import Levels
from ripieno.searchers.memory import Memory
from ripieno.searchers.parzen import Crowd, Parzen, bandwidth
from ripieno.space import Space

__all__ = ["TreeParzen"]

_MOST_GOOD = 25


class TreeParzen:
    """Suggests where the density of good configs is largest beside that of the others.

    The best tenth of the results, 25 at most, are the good ones. Configs are drawn from the
    density of those, and the one with the largest ratio of the two densities is suggested,
    which is the one of largest expected improvement (Bergstra et al., Eq. (2)). Densities
    are joint ones over all hyperparameters; conditional ones count where they are active.

    Pending configs are counted among the others, so that a batch spreads. Dead trials are the
    worst of the others. Where trials are trained for unlike times, the model learns from the
    longest time that enough of them reached (see ``Levels``).

    Args:
        space: What to search.
        objective: What makes a trial good.
        seed: A whole number from 0 up.
        startup: Random suggestions before there is a model, counted in results.
        candidates: Configs drawn from the density of the good ones for each suggestion.
        random_share: Of the suggestions after that, the share that is random nevertheless;
            BOHB takes a third, as an early epoch may mislead.

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
        candidates: int = 24,
        random_share: float = 0.0,
    ) -> None:
        _check(startup=startup, candidates=candidates, random_share=random_share)
        self._memory = Memory(space, objective, seed=seed, where="TreeParzen")
        self._space = space
        self._startup = startup
        self._candidates = candidates
        self._random_share = random_share
        self._layout = Layout(space)
        self._crowd = Crowd(self._layout)
        self._levels = Levels(enough=space.dims + 2)
        self._units = np.empty((64, space.dims))
        self._active = np.empty((64, space.dims), np.bool_)

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once a finite space is exhausted."""
        return self._memory.suggest(count, self._propose)

    def observe(self, trials: Sequence[Trial]) -> None:
        """Learn from trials, as far as they were trained."""
        for result in self._memory.observe(trials):
            row = self._levels.enter(result)
            if row == len(self._units):
                self._units = np.concatenate([self._units, np.empty_like(self._units)])
                self._active = np.concatenate([self._active, np.empty_like(self._active)])
            unit, active = self._encode(result.config)
            if (unit != self._units[row]).any():
                self._crowd.forget(row)
            self._units[row], self._active[row] = unit, active

    def swap(self, suggested: Config, given: Config) -> None:
        """Note that ``given`` is tried in the place of ``suggested``."""
        self._memory.swap(suggested, given)

    def _propose(self, rng: np.random.Generator) -> Config | None:
        is_random = rng.random() < self._random_share
        good, others = self._split()
        if is_random or len(self._memory.results) < self._startup or not len(good):
            return self._memory.draw(rng)
        return self._memory.first_new(self._ranked(good, others, rng), rng)

    def _split(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows of the good results, best first, and those of the others."""
        badness = self._levels.badness
        rows = np.flatnonzero(~np.isnan(badness))
        rows = rows[np.argsort(badness[rows], kind="stable")]
        alive = int(np.isfinite(badness[rows]).sum())
        good = min(math.ceil(0.1 * len(rows)), _MOST_GOOD, alive)
        return rows[:good], rows[good:]

    def _ranked(
        self, good: NDArray[np.intp], others: NDArray[np.intp], rng: np.random.Generator
    ) -> Iterator[Config]:
        """Yield candidates, the largest ratio of the densities first."""
        width = bandwidth(len(good), self._space.dims)
        near = Parzen(self._layout, self._units[good], active=self._active[good], width=width)
        points = near.sample(rng, self._candidates)
        features = self._layout.describe(points, self._active_in(points))
        known = len(self._levels.badness)
        ratio = near.log_density(features) - self._crowd.log_density(
            features,
            self._units[:known],
            active=self._active[:known],
            rows=others,
            more=self._pending(),
        )
        for row in np.argsort(-ratio, kind="stable"):
            yield self._space.decode(points[row])

    def _pending(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the pending configs, and which of their hyperparameters are active."""
        pending = [self._encode(config) for config in self._memory.pending.values()]
        shape = (len(pending), self._space.dims)
        units = np.array([unit for unit, _ in pending]).reshape(shape)
        return units, np.array([mask for _, mask in pending], np.bool_).reshape(shape)

    def _active_in(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        if not any(domain.conditions for domain in self._space.values()):
            return np.ones(points.shape, np.bool_)
        configs = map(self._space.decode, points)
        return np.array([[n in config for n in self._space.searched] for config in configs])

    def _encode(self, config: Config) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        active = [name in config for name in self._space.searched]
        return self._space.encode(config), np.array(active, np.bool_)


def _check(*, startup: int, candidates: int, random_share: float) -> None:
    where = f"TreeParzen({startup=}, {candidates=}, {random_share=})"
    if startup < 1 or candidates < 1:
        raise SearchError(
            f"startup = {startup} and candidates = {candidates} must be 1 or more.",
            where=where,
            fix="leave them out, or give 1 or more.",
        )
    if not 0.0 <= random_share <= 1.0:
        raise SearchError(
            f"random_share = {random_share} is no share.",
            where=where,
            fix="give a number from 0 to 1.",
        )
