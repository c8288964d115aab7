"""Members that differ in their seeds: first weights, order of the rows, dropout.

Source: Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty
estimation using deep ensembles", NeurIPS 2017.
"""

from dataclasses import dataclass

from ripieno.ensembles.combination import Combiner
from ripieno.ensembles.combiners import CombinerName
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble, combined
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.running import Members, Trained
from ripieno.population import TierName
from ripieno.recipes import Data, Recipe

__all__ = ["DeepEnsemble", "answering"]


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
        recipe = ready(recipe, data)
        own = configs_of(configs, self.members)
        trained = Members(recipe, data, seed, tier=self.tier).train_from_start(own, recipe.epochs)
        made = assemble(recipe, data, [answering(each) for each in trained])
        return combined(made, data, self.combiner)


def answering(trained: Trained) -> Member:
    """Return a trained member as it answers: with its best epoch where that is kept."""
    order = trained.order
    return Member(f"{order.trial}", order.config, trained.state.answer)
