"""Members that see rows and features of their own, and what rows say that a member missed.

Sources: Breiman, "Bagging predictors", 1996 (bootstrap, out-of-bag score); Louppe and Geurts,
"Ensembles on random patches", 2012 (rows and features).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.ensembles.combination import Combiner
from ripieno.ensembles.combiners import CombinerName
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble, combined
from ripieno.ensembles.makers.deep_ensemble import answering
from ripieno.ensembles.makers.independent import Independent
from ripieno.ensembles.makers.maker import check, ready
from ripieno.ensembles.makers.running import Members
from ripieno.ensembles.makers.subspaces import in_subspaces
from ripieno.errors import EnsembleError
from ripieno.population import TierName
from ripieno.recipes import Data, Recipe, draws, measure
from ripieno.space import Config

__all__ = ["Bagging", "OutOfBag"]

_ROWS = 0xBA6
"""Keeps the draws of samples apart from those of training."""


@dataclass(frozen=True, slots=True, eq=False)
class OutOfBag:
    """What members say of training rows that they have not seen.

    Args:
        rows: Rows that at least one member has not seen, int64, rising.
        answers: The mean of those members' probabilities or values, ``(rows, outputs)``.
        score: What the task is measured by, on these rows.
    """

    rows: NDArray[np.int64]
    answers: NDArray[Any]
    score: dict[str, float]


@dataclass(frozen=True, slots=True)
class Bagging(Independent):
    """Trains each member on rows, and on features, of its own.

    ``ensemble.facts["out_of_bag"]`` holds the out-of-bag score, where there is one; of an
    ensemble that was added to, ``Bagging(members=…)`` of all members gives the answers too.
    Rows of a stream cannot be drawn.

    Members of equal architecture are rows of one stack. Only features: random subspaces
    (``sample_share=1, bootstrap=False, feature_share=0.5``); both: random patches.

    Args:
        members: How many.
        sample_share: Rows that a member is given, as a share of the training part, in (0, 1].
        bootstrap: Whether they are drawn with replacement.
        feature_share: Share of the features that a member sees, in (0, 1]. The others look
            like their mean to it; see :class:`Subspace`.
        combiner: How they are combined, fitted on the validation part; None for an equal vote.
        tier: How stacks are computed.
    """

    members: int = 10
    sample_share: float = 1.0
    bootstrap: bool = True
    feature_share: float = 1.0
    combiner: CombinerName | Combiner | None = None
    tier: TierName = "auto"

    def __post_init__(self) -> None:
        check(
            self,
            members=self.members >= 1,
            sample_share=0 < self.sample_share <= 1,
            feature_share=0 < self.feature_share <= 1,
        )

    def _grown(
        self,
        members: Sequence[Member],
        configs: Sequence[Config],
        *,
        first: int,
        recipe: Recipe,
        data: Data,
        seed: int,
    ) -> Ensemble:
        recipe = ready(recipe, data, streams=False)
        if self.feature_share < 1:
            recipe = in_subspaces(recipe, data, self.feature_share)
        all_samples = replace(self, members=first + len(configs)).samples(data, seed=seed)
        samples = {number: torch.from_numpy(sample) for number, sample in enumerate(all_samples)}
        running = Members(recipe, data, seed, tier=self.tier, samples=samples)
        trained = running.train_from_start(configs, recipe.epochs, first=first)
        joined = [*members, *(answering(each) for each in trained)]
        made = assemble(recipe, data, joined)
        seen = [samples[int(member.id)] for member in joined]
        found = _out_of_bag(made, data, seen) if self.sample_share < 1 or self.bootstrap else None
        if found is not None:
            facts = {**(made.facts or {}), "out_of_bag": found.score}
            made = made.replaced(facts=facts)
        return combined(made, data, self.combiner)

    def samples(self, data: Data, *, seed: int = 0) -> list[NDArray[np.int64]]:
        """Return the training rows that each member sees, int64, rising, all equally many."""
        rows = len(data.train)
        size = max(1, round(self.sample_share * rows))
        keys = [draws.fold(seed, _ROWS, member) for member in range(self.members)]
        # Rising, so that a member which is given every row once is trained as any other model.
        return [
            np.sort(np.random.default_rng(key).choice(rows, size, replace=self.bootstrap))
            for key in keys
        ]

    def out_of_bag(self, ensemble: Ensemble, data: Data, *, seed: int = 0) -> OutOfBag:
        """Return what the members of an ensemble say of rows that they have not seen.

        Args:
            ensemble: What :meth:`make` returned for these data and this seed.
            data: The data.
            seed: The seed.

        Raises:
            EnsembleError: There are no such rows, or the ensemble has members of its own.
        """
        numbers = [int(told["id"]) for told in (ensemble.facts or {"members": []})["members"]]
        if not numbers or max(numbers) >= self.members:
            raise EnsembleError(
                f"{ensemble!r} was not made by {self!r}.",
                where="Bagging.out_of_bag",
                fix="ask the maker that made it, with the seed that it was made with.",
            )
        samples = self.samples(data, seed=seed)
        found = _out_of_bag(ensemble, data, [torch.from_numpy(samples[n]) for n in numbers])
        if found is None:
            raise EnsembleError(
                "every member has seen every row.",
                where="Bagging.out_of_bag",
                fix="use bootstrap=True, or a sample_share below 1.",
            )
        return found


def _out_of_bag(ensemble: Ensemble, data: Data, seen: list[Tensor]) -> OutOfBag | None:
    said = ensemble.predictions(data.train)
    missed = np.ones((len(seen), len(data.train)))
    for member, sample in enumerate(seen):
        missed[member, sample.numpy()] = 0.0
    count = missed.sum(axis=0)
    rows = np.flatnonzero(count)
    if not len(rows):
        return None
    sums = np.einsum("mr,mro->ro", missed[:, rows], said.probabilities[:, rows].astype(np.float64))
    answers = sums / count[rows, None]
    score = measure(answers, data.train.y[rows], task=data.task)
    return OutOfBag(rows, answers, score)
