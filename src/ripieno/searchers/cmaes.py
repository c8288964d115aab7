"""CMA-ES: a normal distribution that moves to where the best of each generation were.

Source: N. Hansen, A. Ostermeier, "Completely Derandomized Self-Adaptation in Evolution
Strategies", Evolutionary Computation 9(2), 2001; A. Auger, N. Hansen, "A Restart CMA Evolution
Strategy with Increasing Population Size", CEC 2005 (the restarts); and see ``distributions``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SearchError
from ripieno.records import Config, Objective, Trial
from ripieno.searchers.distributions import Distribution, make_distribution
from ripieno.searchers.memory import Memory, Result, compared
from ripieno.space import Space

__all__ = ["CmaEs"]

_TRIES = 200


@dataclass(frozen=True, slots=True)
class _Asked:
    """A solution that was drawn, and the config that it is."""

    solution: Any
    digest: str


class CmaEs:
    """Draws generations around a mean, which moves and whose spread adapts.

    Continuous spaces get plain CMA-ES in the unit cube; spaces with choices or numbers of few
    values CatCMA with margin. Both begin at the default config. The coordinates of inactive
    hyperparameters are drawn and told like all others, where they change nothing.

    A generation is told when enough of its trials, the earliest drawn first, have a result;
    until then more is drawn from the same distribution, so that no batch waits. Its trials
    are compared after the last epoch that all of them have reached; dead ones come last. A
    config that was tried before is not tried again: its known result is told. When the
    distribution has contracted, or draws nothing new, it begins anew, from a random mean and
    with twice the population.

    Args:
        space: What to search.
        objective: What makes a trial good.
        seed: A whole number from 0 up.
        population: Trials of the first generation; None for ``4 + 3 ln(dims)``.

    Raises:
        SearchError: The seed or the population is out of range.
    """

    def __init__(
        self,
        space: Space,
        objective: Objective,
        seed: int = 0,
        *,
        population: int | None = None,
    ) -> None:
        if population is not None and population < 4:
            raise SearchError(
                f"a generation of {population} has no better and worse half to learn from.",
                where=f"CmaEs({population=})",
                fix="give 4 or more, or leave it out.",
            )
        self._memory = Memory(space, objective, seed=seed, where="CmaEs")
        self._space = space
        self._seed = seed
        self._restarts = 0
        self._asked: list[_Asked] = []
        self._result_of: dict[str, Result] = {}
        self._distribution = self._make(space.encode(space.default()), population)

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once a finite space is exhausted."""
        return self._memory.suggest(count, self._propose)

    def observe(self, trials: Sequence[Trial]) -> None:
        """Enter results, and tell the generations that are complete."""
        for result in self._memory.observe(trials):
            self._result_of[result.config.digest] = result
        self._learn()

    def swap(self, suggested: Config, given: Config) -> None:
        """Note that ``given`` is tried in the place of ``suggested``."""
        self._memory.swap(suggested, given)
        self._asked = [each for each in self._asked if each.digest != suggested.digest]
        self._enter(given)

    def _propose(self, rng: np.random.Generator) -> Config | None:
        return self._drawn() or self._at_random(rng)

    def _drawn(self) -> Config | None:
        """Draw until a config is new; None if the distribution has no more of them."""
        repeats = False
        for _ in range(_TRIES if self._distribution is not None else 0):
            assert self._distribution is not None  # noqa: S101 - it is replaced, not dropped
            solution, point = self._distribution.ask()
            config = self._space.decode(point)
            if not self._space.allows(config):
                continue
            self._asked.append(_Asked(solution, config.digest))
            if self._memory.is_new(config):
                return config
            repeats = True
            self._learn()
        if repeats:
            self._restart()
        return None

    def _at_random(self, rng: np.random.Generator) -> Config | None:
        config = self._memory.draw(rng)
        if config is not None:
            self._enter(config)
        return config

    def _enter(self, config: Config) -> None:
        """Let the distribution learn from a config that it did not draw."""
        if self._distribution is not None:
            solution = self._distribution.at(self._space.encode(config))
            self._asked.append(_Asked(solution, config.digest))

    def _learn(self) -> None:
        """Tell every generation that has all of its results."""
        while self._distribution is not None:
            size = self._distribution.population_size
            done = [each for each in self._asked if each.digest in self._result_of][:size]
            if len(done) < size:
                return
            badness = compared([self._result_of[each.digest] for each in done])
            order = np.argsort(badness, kind="stable")
            self._distribution.tell([done[index].solution for index in order])
            told = set(map(id, done))
            self._asked = [each for each in self._asked if id(each) not in told]
            if self._distribution.should_stop():
                self._restart()

    def _restart(self) -> None:
        assert self._distribution is not None  # noqa: S101 - else nothing was drawn
        self._restarts += 1
        sequence = np.random.SeedSequence(self._seed, spawn_key=(self._restarts, 1))
        mean = np.random.default_rng(sequence).random(self._space.dims)
        self._asked = []
        self._distribution = self._make(mean, 2 * self._distribution.population_size)

    def _make(self, mean: NDArray[np.float64], population: int | None) -> Distribution | None:
        sequence = np.random.SeedSequence(self._seed, spawn_key=(self._restarts, 0))
        seed = int(sequence.generate_state(1)[0])
        return make_distribution(self._space, mean=mean, seed=seed, population=population)
