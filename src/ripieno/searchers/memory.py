"""What every searcher that learns keeps: what it has suggested, and what became of it."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ripieno.records import Config, Objective, Trial, TrialStatus
from ripieno.searchers.seeds import check_seed
from ripieno.space import Space

__all__ = ["Memory", "Result", "compared"]

_DEAD = frozenset({TrialStatus.DIVERGED, TrialStatus.FAILED})
_TRIES = 200


@dataclass(frozen=True, slots=True)
class Result:
    """What a searcher has been shown of a trial.

    Args:
        trial: Its number.
        config: What it trained.
        badness: The objective after each epoch, the smaller the better; ``inf`` for NaN.
        dead: Whether it diverged or failed: then it is worse than all others.
    """

    trial: int
    config: Config
    badness: tuple[float, ...]
    dead: bool

    @property
    def epochs(self) -> int:
        """How many epochs it has been trained for."""
        return len(self.badness)

    def at(self, epochs: int) -> float:
        """Return the badness after so many epochs, or after the last one before that."""
        if self.dead or not self.badness:
            return math.inf
        return self.badness[min(epochs, len(self.badness)) - 1]


def compared(results: Sequence[Result]) -> list[float]:
    """Return the badness of each result after the last epoch that all of them have reached.

    So a trial that was trained for longer is not better for that alone. Dead ones are
    infinitely bad and shorten nothing.
    """
    epochs = min((r.epochs for r in results if not r.dead and r.epochs), default=0)
    return [result.at(epochs) for result in results]


class Memory:
    """Results by trial, pending suggestions, and a source of configs that are new.

    Suggestion ``i`` draws from a generator that is a function of ``(seed, i)``. No config is
    suggested twice, nor one that was observed, as long as the space has others.

    Trials that were forked from another one are left out: what they gave is not the doing of
    their config alone.

    Args:
        space: What is searched.
        objective: What makes a trial good.
        seed: A whole number from 0 up.
        where: Name of the searcher, for messages.

    Raises:
        SearchError: The seed is not a whole number from 0 up.
    """

    def __init__(self, space: Space, objective: Objective, *, seed: int, where: str) -> None:
        self.space = space
        self.results: dict[int, Result] = {}
        """By number of the trial, in the order in which they were first observed."""
        self.pending: dict[str, Config] = {}
        """Suggestions without any result, by digest, in the order in which they were made."""
        self._objective = objective
        self._seed = check_seed(seed, where=where)
        self._given = 0
        self._taken: set[str] = set()
        self._exhausted = False
        self._rest: Iterator[Config] | None = None

    def suggest(
        self, count: int, propose: Callable[[np.random.Generator], Config | None]
    ) -> list[Config]:
        """Return ``count`` proposals one after another; fewer once there is none.

        Args:
            count: How many.
            propose: Returns a new config, or None where the space is exhausted.
        """
        configs: list[Config] = []
        while len(configs) < count and not self._exhausted:
            config = propose(self._generator())
            if config is None:
                self._exhausted = True
                break
            self._take(config)
            configs.append(config)
        return configs

    def observe(self, trials: Sequence[Trial]) -> list[Result]:
        """Enter trials, and return what they stand for now."""
        seen = [self._read(trial) for trial in trials if trial.parent is None]
        for result in seen:
            digest = result.config.digest
            self.pending.pop(digest, None)
            self._taken.add(digest)
            self.results[result.trial] = result
        return seen

    def swap(self, suggested: Config, given: Config) -> None:
        """Note that ``given`` is tried in the place of ``suggested``, which is new again."""
        self.pending.pop(suggested.digest, None)
        self._taken.discard(suggested.digest)
        self._rest = None
        self._take(given)

    def is_new(self, config: Config) -> bool:
        """Say whether the config keeps the constraints and was neither given nor observed."""
        return config.digest not in self._taken and self.space.allows(config)

    def first_new(self, configs: Iterable[Config], rng: np.random.Generator) -> Config | None:
        """Return the first new one of some configs; where there is none, :meth:`draw`."""
        for config in configs:
            if self.is_new(config):
                return config
        return self.draw(rng)

    def draw(self, rng: np.random.Generator) -> Config | None:
        """Return a random new config, or None where a finite space holds no other.

        An infinite space of which hardly anything is allowed may repeat a config.
        """
        config = None
        for _ in range(_TRIES):
            config = self.space.sample(rng, 1)[0]
            if self.is_new(config):
                return config
        if math.isinf(self.space.size):
            return config
        # Whatever the walk has passed is taken and stays so: it never has to begin again.
        if self._rest is None:
            self._rest = self.space.grid()
        return next(filter(self.is_new, self._rest), None)

    def _generator(self) -> np.random.Generator:
        sequence = np.random.SeedSequence(self._seed, spawn_key=(self._given,))
        self._given += 1
        return np.random.default_rng(sequence)

    def _take(self, config: Config) -> None:
        digest = config.digest
        self.pending[digest] = config
        self._taken.add(digest)

    def _read(self, trial: Trial) -> Result:
        rows = (self._objective.value(row) for row in trial.history)
        badness = tuple(self._objective.badness(value) for value in rows)
        return Result(trial.id, trial.config, badness, trial.status in _DEAD)
