"""Members that one training leaves at the ends of its cycles.

Source: Huang et al., "Snapshot ensembles: Train 1, get M for free", ICLR 2017.
"""

from dataclasses import dataclass, replace

from ripieno.ensembles.combination import Combiner
from ripieno.ensembles.combiners import CombinerName
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble, combined
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.running import Members, Trained
from ripieno.population import TierName
from ripieno.recipes import Data, Recipe
from ripieno.space import Config, Value

__all__ = ["Snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Trains under a cosine that starts again, and keeps the model at the end of each cycle.

    In step t of a cycle of T steps the learning rate is ``lr / 2 * (cos(pi * t / T) + 1)``,
    whatever the config's schedule. Several trainings side by side, each with a seed of its
    own, are rows of one stack.

    Args:
        members: Cycles of each training.
        cycle_epochs: Length of a cycle; the recipe's epochs divided by the cycles where None.
        kept: How many of the last snapshots of each training become members; all where None.
            Early ones are weaker.
        trainings: How many trainings.
        combiner: How they are combined, fitted on the validation part; None for an equal
            vote, ``"greedy"`` to leave snapshots out that do not help.
        tier: How stacks are computed.
    """

    members: int = 5
    cycle_epochs: int | None = None
    kept: int | None = None
    trainings: int = 1
    combiner: CombinerName | Combiner | None = None
    tier: TierName = "auto"

    def __post_init__(self) -> None:
        check(
            self,
            members=self.members >= 1,
            cycle_epochs=self.cycle_epochs is None or self.cycle_epochs >= 1,
            kept=self.kept is None or 1 <= self.kept <= self.members,
            trainings=self.trainings >= 1,
        )

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`. Each training takes one config.

        Raises:
            EnsembleError: The data are folds, or no training came to its end.
        """
        recipe = ready(recipe, data)
        cycle = self.cycle_epochs or max(1, recipe.epochs // self.members)
        recipe = replace(recipe, epochs=cycle * self.members)
        cyclic: dict[str, Value] = {
            "schedule": "cosine_restarts", "schedule_period": float(cycle),
            "schedule_period_mult": 1, "warmup_epochs": 0.0, "early_stopping": 0, "restore": "last",
        }  # fmt: skip
        own = [Config({**config, **cyclic}) for config in configs_of(configs, self.trainings)]
        members = Members(recipe, data, seed, tier=self.tier)
        cycles = [members.train_from_start(own, cycle)]
        for _ in range(1, self.members):
            cycles.append(members.go_on(cycles[-1], cycle))
        kept = cycles[-(self.kept or self.members) :]
        made = assemble(recipe, data, [_snapshot(each) for ends in kept for each in ends])
        return combined(made, data, self.combiner)


def _snapshot(trained: Trained) -> Member:
    order = trained.order
    return Member(f"{order.trial} at epoch {order.stop}", order.config, trained.state.model)
