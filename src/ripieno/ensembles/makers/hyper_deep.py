"""Members that differ in hyperparameters and in seeds: search, select, stratify, select.

Source: Wenzel, Snoek, Tran, Jenatton, "Hyperparameter ensembles for robustness and uncertainty
quantification", NeurIPS 2020.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble
from ripieno.ensembles.makers.deep_ensemble import answering
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.running import Members
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.rules import SoftRule
from ripieno.population import TierName
from ripieno.recipes import Data, Recipe, measure
from ripieno.space import Config

__all__ = ["HyperDeep", "distinct_greedy"]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class HyperDeep:
    """Trains candidates, selects configs, trains each of them with several seeds, selects again.

    Both selections are greedy, with replacement, on the validation part, until so many
    different members are in; how often each was taken is its weight in the end.

    Args:
        members: How many different members, and of each selected config how many seeds.
        tier: How stacks are computed.
    """

    members: int = 4
    tier: TierName = "auto"

    def __post_init__(self) -> None:
        check(self, members=self.members >= 1)

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`.

        Args:
            recipe: How members are trained.
            data: The data.
            configs: The candidates: proposals of a searcher, or configs of a study's trials.
            seed: The candidate of number i is trained with seed i; others come after them.

        Raises:
            EnsembleError: The data are folds, or no member could be trained.
        """
        recipe = ready(recipe, data)
        given = 1 if isinstance(configs, Config) else len(configs)
        candidates = configs_of(configs, given)
        runner = Members(recipe, data, seed, tier=self.tier)
        first = [answering(each) for each in runner.train_from_start(candidates, recipe.epochs)]
        chosen = list(distinct_greedy(_library(recipe, data, first), self.members))
        wide = self._stratify(runner, [first[n] for n in chosen], begin=given, epochs=recipe.epochs)
        counts = distinct_greedy(_library(recipe, data, wide), self.members)
        rule = SoftRule([float(count) for count in counts.values()], task=data.task)
        return assemble(recipe, data, [wide[number] for number in counts], rule=rule)

    def _stratify(
        self, runner: Members, selected: list[Member], *, begin: int, epochs: int
    ) -> list[Member]:
        """Return each selected member, and its config with further seeds."""
        more = [member.config for member in selected for _ in range(self.members - 1)]
        if not more:
            return selected
        trained = runner.train_from_start(more, epochs, first=begin)
        return [*selected, *(answering(each) for each in trained)]


def distinct_greedy(library: Predictions, size: int) -> dict[int, int]:
    """Return how often each member is taken until ``size`` different ones are in.

    Again and again the member is taken with which the mean is best by log loss, or by squared
    error. If that is one that is in already ``4 * size`` times in a row, the best of the others
    is taken instead.

    Args:
        library: Predictions on rows that no member was trained on.
        size: How many different members; all where there are fewer.
    """
    counts: dict[int, int] = {}
    total = np.zeros(library.probabilities.shape[1:])
    repeats = 0
    while len(counts) < min(size, library.members):
        losses = _losses(library, total, sum(counts.values()) + 1)
        if repeats >= 4 * size:
            losses[list(counts)] = np.inf
        pick = int(losses.argmin())
        repeats = repeats + 1 if pick in counts else 0
        counts[pick] = counts.get(pick, 0) + 1
        total = total + library.probabilities[pick]
    return counts


def _library(recipe: Recipe, data: Data, members: list[Member]) -> Predictions:
    return assemble(recipe, data, members).predictions(data.validation)


def _losses(library: Predictions, total: Floats, count: int) -> Floats:
    """Return the loss of the mean with each member added, ``(members,)``."""
    means = (total + library.probabilities) / count
    if library.task == "regression":
        y = library.targets.reshape(means.shape[1:])
        return np.asarray(((means - y) ** 2).mean(axis=(1, 2)))
    measured = [
        measure(mean, library.targets, metrics=["log_loss"], task=library.task) for mean in means
    ]
    return np.array([each["log_loss"] for each in measured])
