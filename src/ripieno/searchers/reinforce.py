"""REINFORCE: a distribution over configs that goes up the gradient of the expected reward.

Source: R. J. Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist
Reinforcement Learning", Machine Learning 8, 1992; B. Zoph, Q. V. Le, "Neural Architecture
Search with Reinforcement Learning", ICLR 2017 (the moving baseline); S. Kakade, "A Natural
Policy Gradient", NeurIPS 2001 (the scale of the steps).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SearchError
from ripieno.records import Config, Objective, Trial
from ripieno.searchers.memory import Memory, Result
from ripieno.searchers.policy import Policy
from ripieno.space import Space

__all__ = ["Reinforce"]

_TRIES = 100
_MOST_ADVANTAGE = 3.0


class Baseline:
    """Moving averages of the badness and of its distance from there, for each epoch count.

    Args:
        decay: Weight of what was, at each step.
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._averages: dict[int, tuple[float, float]] = {}

    def advantage(self, badness: float, epochs: int) -> float:
        """Return how much better than usual a value is, in usual distances, and learn it.

        A number of epochs that was not seen before begins with the averages of the nearest
        one; the very first value is as usual.
        """
        nearest = min(self._averages, key=lambda each: (abs(each - epochs), each), default=None)
        if nearest is None:
            self._averages[epochs] = badness, 0.0
            return 0.0
        average, distance = self._averages[nearest]
        apart = abs(badness - average)
        distance = distance or apart
        found = (average - badness) / distance if distance > 0.0 else 0.0
        new = 1.0 - self._decay
        self._averages[epochs] = (
            average + new * (badness - average),
            distance + new * (apart - distance),
        )
        return min(max(found, -_MOST_ADVANTAGE), _MOST_ADVANTAGE)


class Reinforce:
    """Draws configs from a policy, and makes likelier those that were better than usual.

    The policy draws each hyperparameter for itself (see ``Policy``). Every observation of a
    trial moves it by ``rate`` times the advantage times the gradient of the logarithm of the
    config's probability, plus ``entropy`` times the gradient of the policy's entropy, which
    keeps it from settling too soon. The advantage is the distance from a moving average of
    trials that were trained for as long; a dead trial has the worst advantage there is.
    Hyperparameters that are inactive in a config are not moved by it.

    Args:
        space: What to search.
        objective: What makes a trial good.
        seed: A whole number from 0 up.
        rate: Size of the steps.
        entropy: Weight of the entropy.
        decay: Of the moving averages.

    Raises:
        SearchError: The seed or a number is out of range.
    """

    def __init__(
        self,
        space: Space,
        objective: Objective,
        seed: int = 0,
        *,
        rate: float = 0.1,
        entropy: float = 0.01,
        decay: float = 0.9,
    ) -> None:
        if not (rate > 0.0 and entropy >= 0.0 and 0.0 <= decay < 1.0):
            raise SearchError(
                f"rate = {rate}, entropy = {entropy}, decay = {decay}: one is out of range.",
                where=f"Reinforce({rate=}, {entropy=}, {decay=})",
                fix="give a rate above 0, an entropy from 0 up, a decay from 0 to below 1.",
            )
        self._memory = Memory(space, objective, seed=seed, where="Reinforce")
        self._space = space
        self._rate = rate
        self._entropy = entropy
        self._baseline = Baseline(decay)
        self.policy = Policy(space, space.encode(space.default()))
        """What suggestions are drawn from; read its parameters to see what was learnt."""

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once a finite space is exhausted."""
        return self._memory.suggest(count, self._propose)

    def observe(self, trials: Sequence[Trial]) -> None:
        """Move the policy, once for each observation."""
        for result in self._memory.observe(trials):
            self._learn(result)

    def swap(self, suggested: Config, given: Config) -> None:
        """Note that ``given`` is tried in the place of ``suggested``."""
        self._memory.swap(suggested, given)

    def _propose(self, rng: np.random.Generator) -> Config | None:
        drawn = (self._space.decode(self.policy.sample(rng)) for _ in range(_TRIES))
        return self._memory.first_new(drawn, rng)

    def _learn(self, result: Result) -> None:
        badness = result.at(result.epochs)
        advantage = -_MOST_ADVANTAGE
        if math.isfinite(badness):
            advantage = self._baseline.advantage(badness, result.epochs)
        direction = advantage * self.policy.score(*self._action(result.config))
        direction += self._entropy * self.policy.entropy_gradient()
        self.policy.step(direction, rate=self._rate)

    def _action(self, config: Config) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        active = [name in config for name in self._space.searched]
        return self._space.encode(config), np.array(active, np.bool_)
