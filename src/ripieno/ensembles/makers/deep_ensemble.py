"""Members that differ in their seeds: first weights, order of the rows, dropout.

Source: Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty
estimation using deep ensembles", NeurIPS 2017.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ripieno.ensembles.combination import Combiner
from ripieno.ensembles.combiners import CombinerName
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble, combined
from ripieno.ensembles.makers.independent import Independent
from ripieno.ensembles.makers.maker import check, ready
from ripieno.ensembles.makers.running import Members, Trained
from ripieno.population import TierName
from ripieno.recipes import Data, Recipe
from ripieno.space import Config

__all__ = ["DeepEnsemble", "answering"]


@dataclass(frozen=True, slots=True)
class DeepEnsemble(Independent):
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
        recipe = ready(recipe, data)
        running = Members(recipe, data, seed, tier=self.tier)
        trained = running.train_from_start(configs, recipe.epochs, first=first)
        made = assemble(recipe, data, [*members, *(answering(each) for each in trained)])
        return combined(made, data, self.combiner)


def answering(trained: Trained) -> Member:
    """Return a trained member as it answers: with its best epoch where that is kept."""
    order = trained.order
    return Member(f"{order.trial}", order.config, trained.state.answer)
