"""Members that differ in their seeds: first weights, order of the rows, dropout.

Source: Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty
estimation using deep ensembles", NeurIPS 2017.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ripieno.ensembles.combination import Combiner
from ripieno.ensembles.combiners import CombinerName
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble, combined, members_of
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.running import Members, Trained
from ripieno.population import TierName
from ripieno.recipes import Data, Recipe
from ripieno.space import Config

__all__ = ["DeepEnsemble", "answering", "following"]


@dataclass(frozen=True, slots=True)
class DeepEnsemble:
    """Trains members that differ in their seeds; with several configs, in these too.

    Members of equal architecture are rows of one stack. The equal vote is the mean of their
    probabilities, of a regression the mean of their values.

    Args:
        members: How many.
        combiner: How they are combined, fitted on the validation part; None for an equal vote.
        tier: How stacks are computed.
    """

    members: int = 5
    combiner: CombinerName | Combiner | None = None
    tier: TierName = "auto"

    def __post_init__(self) -> None:
        check(self, members=self.members >= 1)

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`.

        Raises:
            EnsembleError: The data are folds, or no member could be trained.
        """
        own = configs_of(configs, self.members)
        return self._grown([], own, recipe=recipe, data=data, seed=seed)

    def fit_more(
        self,
        ensemble: Ensemble,
        count: int,
        *,
        recipe: Recipe,
        data: Data,
        configs: Configs,
        seed: int = 0,
    ) -> Ensemble:
        """Return an ensemble with so many members more, as if all had been made at once.

        Args:
            ensemble: What :meth:`make` returned, or this method; it is left as it is.
            count: How many members more.
            recipe: That of the others.
            data: Those of the others.
            configs: Those of the others, which the new members take in turn too.
            seed: That of the others.

        Raises:
            EnsembleError: The ensemble is of another maker, or no member could be trained.
        """
        members = members_of(ensemble)
        first = following(members, self.members)
        own = configs_of(configs, first + count)[first:]
        return self._grown(members, own, recipe=recipe, data=data, seed=seed)

    def _grown(
        self, members: list[Member], configs: list[Config], *, recipe: Recipe, data: Data, seed: int
    ) -> Ensemble:
        """Train members with the numbers that follow, and join all."""
        recipe = ready(recipe, data)
        first = following(members, self.members) if members else 0
        running = Members(recipe, data, seed, tier=self.tier)
        trained = running.train_from_start(configs, recipe.epochs, first=first)
        made = assemble(recipe, data, [*members, *(answering(each) for each in trained)])
        return combined(made, data, self.combiner)


def following(members: Sequence[Member], made: int) -> int:
    """Return the number of the next member, where so many were made, and some left out."""
    return max(made, *(int(member.id) + 1 for member in members))


def answering(trained: Trained) -> Member:
    """Return a trained member as it answers: with its best epoch where that is kept."""
    order = trained.order
    return Member(f"{order.trial}", order.config, trained.state.answer)
