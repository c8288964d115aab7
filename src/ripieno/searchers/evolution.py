"""Evolution that lets the old die, not the bad.

Source: E. Real, A. Aggarwal, Y. Huang, Q. V. Le, "Regularized Evolution for Image Classifier
Architecture Search", AAAI 2019, Algorithm 1.
"""

from collections.abc import Sequence

import numpy as np

from ripieno.errors import SearchError
from ripieno.records import Config, Objective, Trial
from ripieno.searchers.memory import Memory, Result, compared
from ripieno.searchers.neighbours import mutate
from ripieno.space import Space

__all__ = ["Evolution"]

_CHILDREN = 20


class Evolution:
    """Mutates the winner of a small tournament; the population is the youngest trials.

    First it draws at random until ``population`` trials have been observed. Then each
    suggestion is a child: ``tournament`` trials are drawn out of the population, and the best
    of them is mutated in one hyperparameter or a few. The population is always the
    ``population`` latest created ones of the observed trials, so that a trial dies of age,
    however good it was, and only what is good again in its children lasts.

    Trials of a tournament are compared after the last epoch that all of them have reached;
    dead ones lose. In a batch, children of the same population are made until outcomes are
    there.

    Args:
        space: What to search.
        objective: What makes a trial good.
        seed: A whole number from 0 up.
        population: Trials of a generation.
        tournament: Trials of which the best becomes a parent.
        step: Standard deviation of a mutated number, in units of its scale.

    Raises:
        SearchError: The seed or a number is out of range.
    """

    def __init__(
        self,
        space: Space,
        objective: Objective,
        seed: int = 0,
        *,
        population: int = 20,
        tournament: int = 10,
        step: float = 0.1,
    ) -> None:
        _check(population=population, tournament=tournament, step=step)
        self._memory = Memory(space, objective, seed=seed, where="Evolution")
        self._space = space
        self._size = population
        self._tournament = tournament
        self._step = step
        self._alive: dict[int, Result] = {}

    @property
    def population(self) -> list[int]:
        """The numbers of the trials that are alive, the oldest first."""
        return sorted(self._alive)

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once a finite space is exhausted."""
        return self._memory.suggest(count, self._propose)

    def observe(self, trials: Sequence[Trial]) -> None:
        """Let trials into the population, and the oldest out of it."""
        self._alive.update((result.trial, result) for result in self._memory.observe(trials))
        for trial in self.population[: -self._size]:
            del self._alive[trial]

    def swap(self, suggested: Config, given: Config) -> None:
        """Note that ``given`` is tried in the place of ``suggested``."""
        self._memory.swap(suggested, given)

    def _propose(self, rng: np.random.Generator) -> Config | None:
        if len(self._memory.results) < self._size:
            return self._memory.draw(rng)
        parent = self._parent(rng).config
        # In a finite space most children of an old family have been seen: it wanders off.
        for _ in range(_CHILDREN):
            child = mutate(self._space, parent, rng=rng, step=self._step)
            if self._memory.is_new(child):
                return child
            parent = child if self._space.allows(child) else parent
        return self._memory.draw(rng)

    def _parent(self, rng: np.random.Generator) -> Result:
        """Return the winner of a tournament; of equals the youngest."""
        alive = [self._alive[trial] for trial in reversed(self.population)]
        drawn = np.sort(rng.choice(len(alive), min(self._tournament, len(alive)), replace=False))
        contestants: list[Result] = [alive[index] for index in drawn]
        return contestants[int(np.argmin(compared(contestants)))]


def _check(*, population: int, tournament: int, step: float) -> None:
    where = f"Evolution({population=}, {tournament=}, {step=})"
    if not 1 <= tournament <= population:
        raise SearchError(
            f"a tournament of {tournament} cannot be drawn from a population of {population}.",
            where=where,
            fix="give a tournament from 1 up to the population.",
        )
    if not step > 0.0:
        raise SearchError(
            f"step = {step} changes no number.", where=where, fix="give a step above 0, as 0.1."
        )
