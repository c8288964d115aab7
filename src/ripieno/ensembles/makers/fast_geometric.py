"""Members along a curve of low loss, which a cyclic learning rate walks.

Source: Garipov et al., "Loss surfaces, mode connectivity, and fast ensembling of DNNs",
NeurIPS 2018.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ripieno.ensembles.combination import Combiner
from ripieno.ensembles.combiners import CombinerName
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble, combined
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.stacks import separate_members
from ripieno.population import Hooks, SteppedStack, Turn
from ripieno.recipes import Data, Recipe

__all__ = ["FastGeometric"]


@dataclass(frozen=True, slots=True)
class FastGeometric:
    """Trains for a part of the recipe's epochs, then cycles, and keeps the model at each low.

    In the first half of a cycle the learning rate falls in a line from ``high`` to ``low``, in
    the second it rises again (Eq. 3 of the paper); members are the models half-way, where it
    is lowest.

    Args:
        members: Cycles of each training.
        cycle_epochs: Length of a cycle: an even number, at least 2.
        start: Share of the recipe's epochs before the first cycle, in (0, 1].
        high: Highest learning rate of a cycle, as a factor of the config's own.
        low: Lowest one, likewise.
        trainings: How many trainings, each with a seed of its own, rows of one stack.
        combiner: How members are combined, fitted on the validation part; None for an equal
            vote.
    """

    members: int = 5
    cycle_epochs: int = 2
    start: float = 0.8
    high: float = 0.5
    low: float = 0.1
    trainings: int = 1
    combiner: CombinerName | Combiner | None = None

    def __post_init__(self) -> None:
        check(
            self,
            members=self.members >= 1,
            cycle_epochs=self.cycle_epochs >= 2 and self.cycle_epochs % 2 == 0,
            start=0 < self.start <= 1,
            high=self.high > 0,
            low=0 < self.low <= self.high,
            trainings=self.trainings >= 1,
        )

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`. Each training takes one config.

        Raises:
            EnsembleError: The data are folds or a stream, or all trainings diverged.
            RecipeError: The configs are no rows of one stack.
        """
        recipe = ready(recipe, data, streams=False)
        own = configs_of(configs, self.trainings)
        stack = SteppedStack(recipe, data, own, seed=seed)
        begin = max(1, round(self.start * recipe.epochs))
        stack.train(begin)
        lr = torch.tensor([knobs.lr for knobs in stack.knobs], dtype=torch.float64)
        hooks = Hooks(rates=lambda turn: lr * self.factor(turn, begin))
        found: list[Member] = []
        half, epoch = self.cycle_epochs // 2, begin
        for cycle in range(self.members):
            # From low to low is a whole cycle; to the first low it is half of one.
            epochs = half if cycle == 0 else self.cycle_epochs
            stack.train(epochs, hooks, begin=epoch)
            epoch += epochs
            found += separate_members(stack, own, name=f"cycle {cycle + 1} of training ")
        return combined(assemble(recipe, data, found), data, self.combiner)

    def factor(self, turn: Turn, begin: int) -> Tensor:
        """Return what the learning rate is multiplied with in a turn, a scalar.

        Args:
            turn: The turn.
            begin: Epochs before the first cycle.
        """
        length = self.cycle_epochs * turn.steps
        t = ((turn.step - begin * turn.steps) % length + 1) / length
        # Eq. (3)
        down = (1 - 2 * t) * self.high + 2 * t * self.low
        up = (2 - 2 * t) * self.low + (2 * t - 1) * self.high
        return torch.tensor(down if t <= 0.5 else up, dtype=torch.float64)
