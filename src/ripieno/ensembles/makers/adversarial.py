"""Members that are also trained on what would mislead them.

Source: Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty
estimation using deep ensembles", NeurIPS 2017; Goodfellow, Shlens, Szegedy, "Explaining and
harnessing adversarial examples", ICLR 2015 (the fast gradient sign).
"""

from dataclasses import dataclass, replace

import torch

from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import assemble
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.stacks import separate_members
from ripieno.population import Hooks, SteppedStack, Turn
from ripieno.recipes import Data, Recipe

__all__ = ["Adversarial"]


@dataclass(frozen=True, slots=True)
class Adversarial:
    """Trains each member on its batch, and on the batch moved along the sign of its gradient.

    Both halves count alike. Inputs may have any range: the size is in the unit that
    standardised features have.

    Args:
        members: How many, rows of one stack.
        size: How far each feature is moved; 0 trains on every batch twice.
    """

    members: int = 5
    size: float = 0.05

    def __post_init__(self) -> None:
        check(self, members=self.members >= 1, size=self.size >= 0)

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`. Members are of one architecture.

        Raises:
            EnsembleError: The data are folds or a stream, or all members diverged.
            RecipeError: The configs are no rows of one stack.
        """
        recipe = ready(recipe, data, streams=False)
        own = configs_of(configs, self.members)
        stack = SteppedStack(recipe, data, own, seed=seed)
        stack.train(recipe.epochs, Hooks(change=lambda turn: self._doubled(stack, turn)))
        return assemble(recipe, data, separate_members(stack, own, name=""))

    def _doubled(self, stack: SteppedStack, turn: Turn) -> Turn:
        x, y = turn.batch["x"], turn.batch["y"]
        moved = x + self.size * stack.input_gradients(turn).sign()
        batch = {**turn.batch, "x": torch.cat([x, moved], 1), "y": torch.cat([y, y], 1)}
        return replace(turn, batch=batch, rows=torch.cat([turn.rows, turn.rows], 1))
