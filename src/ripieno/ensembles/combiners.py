"""Combiners by name: from a library of predictions to the members that answer and their rule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ripieno.ensembles.boosted_rules import AdditiveRule, WeightedMedianRule
from ripieno.ensembles.checks import SelectionMetric
from ripieno.ensembles.combination import Combination, Combiner, best_members
from ripieno.ensembles.limits import Costs, Limits
from ripieno.ensembles.local_rule import DynamicSelection, LocalRule
from ripieno.ensembles.mixture import GaussianMixture, MixtureRule
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.rules import GeometricRule, HardRule, MedianRule, Rule, SoftRule
from ripieno.ensembles.selection import greedy_selection
from ripieno.ensembles.stacking import Blending, StackedRule, Stacking
from ripieno.ensembles.weighting import simplex_weights
from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = [
    "COMBINERS",
    "RULES",
    "CombinerName",
    "GeometricVote",
    "GreedySelection",
    "HardVote",
    "MedianVote",
    "SoftVote",
    "WeightedVote",
    "make_combiner",
    "methods_of",
]

CombinerName = Literal[
    "greedy", "soft", "hard", "geometric", "weighted", "stacking", "blending", "dynamic",
    "median", "mixture",
]  # fmt: skip

_OF_VALUES: tuple[CombinerName, ...] = (
    "greedy", "soft", "weighted", "stacking", "median", "mixture",
)  # fmt: skip
_TOP = 10
"""Members of a plain vote: on few rows the ten best with equal weights are hard to beat."""


@dataclass(frozen=True, slots=True)
class SoftVote:
    """The mean of the best members' probabilities (or values), with equal weights.

    Args:
        size: How many members vote; None for all.
    """

    size: int | None = _TOP

    def fit(self, library: Predictions) -> Combination:
        """Return the members and the rule; see :class:`Combiner`."""
        return _equal(SoftRule, library, self.size)


@dataclass(frozen=True, slots=True)
class HardVote:
    """The share of the best members that name each class.

    Args:
        size: How many members vote; None for all.
    """

    size: int | None = _TOP

    def fit(self, library: Predictions) -> Combination:
        """Return the members and the rule; see :class:`Combiner`."""
        return _equal(HardRule, library, self.size)


@dataclass(frozen=True, slots=True)
class GeometricVote:
    """The geometric mean of the best members' probabilities.

    Args:
        size: How many members vote; None for all.
    """

    size: int | None = _TOP

    def fit(self, library: Predictions) -> Combination:
        """Return the members and the rule; see :class:`Combiner`."""
        return _equal(GeometricRule, library, self.size)


@dataclass(frozen=True, slots=True)
class MedianVote:
    """The median of the best members' values.

    Args:
        size: How many members vote; None for all.
    """

    size: int | None = _TOP

    def fit(self, library: Predictions) -> Combination:
        """Return the members and the rule; see :class:`Combiner`."""
        return _equal(MedianRule, library, self.size)


@dataclass(frozen=True, slots=True)
class WeightedVote:
    """The weighted mean with the lowest loss that any weights have on the library's rows.

    Args:
        size: The best members to weigh; None for all. Few, since it fits these rows exactly.
    """

    size: int | None = _TOP

    def fit(self, library: Predictions) -> Combination:
        """Return the members and the rule; see :class:`Combiner`."""
        members = best_members(library, self.size)
        weights = simplex_weights(library.subset(list(members)))
        kept = np.flatnonzero(weights)
        rule = SoftRule(weights[kept], task=library.task)
        return Combination(tuple(members[place] for place in kept), rule)


@dataclass(frozen=True, slots=True)
class GreedySelection:
    """Greedy selection with replacement: sorted start, bags, best prefix; by log loss.

    Args:
        rounds: Models added after the start.
        bags: Random halves of the library to select from.
        bag_share: Size of such a part.
        sorted_start: The most models to start with.
        metric: What to improve; the log loss where absent, for a regression the RMSE.
        seed: Of the bags.
        limits: What the ensemble may cost; see :class:`Limits`.
        costs: What each model of the library costs; needed for limits on parameters and time.
    """

    rounds: int = 50
    bags: int = 10
    bag_share: float = 0.5
    sorted_start: int = 25
    metric: SelectionMetric | None = None
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    costs: Costs = field(default_factory=Costs)

    def fit(self, library: Predictions) -> Combination:
        """Return the members and the rule; see :class:`Combiner`.

        Raises:
            EnsembleError: An option is out of range, or no model is within the limits.
        """
        weights = self.limits.select(library, self.costs, select=self._select)
        kept = np.flatnonzero(weights)
        rule = SoftRule(weights[kept], task=library.task)
        return Combination(tuple(int(member) for member in kept), rule)

    def _select(self, library: Predictions, bags: int | None = None) -> NDArray[np.float64]:
        return greedy_selection(
            library,
            rounds=self.rounds,
            bags=self.bags if bags is None else bags,
            bag_share=self.bag_share,
            sorted_start=self.sorted_start,
            metric=self.metric,
            seed=self.seed,
        )


COMBINERS: Mapping[CombinerName, Callable[..., Combiner]] = MappingProxyType(
    {
        "greedy": GreedySelection,
        "soft": SoftVote,
        "hard": HardVote,
        "geometric": GeometricVote,
        "weighted": WeightedVote,
        "stacking": Stacking,
        "blending": Blending,
        "dynamic": DynamicSelection,
        "median": MedianVote,
        "mixture": GaussianMixture,
    }
)
"""Every combiner by name."""

RULES: Mapping[str, type[Rule]] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            SoftRule, HardRule, GeometricRule, MedianRule, MixtureRule, StackedRule, LocalRule,
            AdditiveRule, WeightedMedianRule,
        )
    }
)  # fmt: skip
"""Every rule that an ensemble is stored with, by name."""


def methods_of(task: TaskName) -> tuple[CombinerName, ...]:
    """Return the methods that combine answers of a task."""
    if task == "regression":
        return _OF_VALUES
    return tuple(name for name in COMBINERS if name not in {"median", "mixture"})


def make_combiner(method: CombinerName | Combiner, *, size: int | None = None) -> Combiner:
    """Return a combiner.

    Args:
        method: Its name, or the user's own.
        size: Members at most; the method's own choice where absent.

    Raises:
        EnsembleError: There is no such method, or a size is given to a user's own combiner.
    """
    if not isinstance(method, str):
        if size is None and isinstance(method, Combiner):
            return method
        raise EnsembleError(
            f"a {type(method).__name__} with size = {size} is no combiner.",
            where="an ensemble's method",
            fix="pass a name, or an object with fit(library); it chooses its own size.",
        )
    if method not in get_args(CombinerName):
        raise EnsembleError(
            f"there is no method {method!r}.",
            where="an ensemble's method",
            fix=f"use one of {', '.join(COMBINERS)}, or an object with fit(library).",
        )
    if size is None:
        return COMBINERS[method]()
    if method == "greedy":
        return GreedySelection(limits=Limits(members=size))
    if method == "blending":
        return Blending(Stacking(size=size))
    return COMBINERS[method](size=size)


def _equal(
    kind: type[SoftRule | HardRule | GeometricRule | MedianRule],
    library: Predictions,
    size: int | None,
) -> Combination:
    members = best_members(library, size)
    return Combination(members, kind([1.0] * len(members), task=library.task))
