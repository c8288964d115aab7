"""The exponential mean of the weights that a training goes through.

Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992;
the warm-up of the decay is that of TensorFlow's ``ExponentialMovingAverage``.
"""

from dataclasses import dataclass

from torch import Tensor

from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.stacks import separate_members
from ripieno.ensembles.makers.swa import refreshed
from ripieno.population import Hooks, SteppedStack, Turn
from ripieno.recipes import Data, Recipe

__all__ = ["Ema"]


@dataclass(frozen=True, slots=True)
class Ema:
    """Trains as ever, and answers with an exponential mean of the weights after each step.

    The statistics of batch norms are measured anew for the mean.

    Args:
        members: How many trainings, each with a seed of its own, rows of one stack.
        decay: Share of the mean that a step leaves in place, in [0, 1).
        warmup: Whether the decay of step t, counted from 1, is at most ``(1 + t) / (10 + t)``,
            so that the mean forgets the first weights soon.
    """

    members: int = 1
    decay: float = 0.999
    warmup: bool = True

    def __post_init__(self) -> None:
        check(self, members=self.members >= 1, decay=0 <= self.decay < 1)

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`. Members are of one architecture.

        Raises:
            EnsembleError: The data are folds or a stream, or all members diverged.
            RecipeError: The configs are no rows of one stack.
        """
        recipe = ready(recipe, data, streams=False)
        own = configs_of(configs, self.members)
        stack = SteppedStack(recipe, data, own, seed=seed)
        means: dict[str, Tensor] = {}
        stack.train(recipe.epochs, Hooks(after_step=lambda turn: self._follow(means, stack, turn)))
        members = separate_members(stack, own, name="")
        averaged = [
            Member(m.id, m.config, {**m.model, **{n: t[int(m.id)] for n, t in means.items()}})
            for m in members
        ]
        made = assemble(recipe, data, averaged)
        for module in made.members:
            refreshed(module, recipe, data, batch_size=stack.knobs[0].batch_size)
        return made

    def _follow(self, means: dict[str, Tensor], stack: SteppedStack, turn: Turn) -> None:
        """Move the means towards the weights after a step; the first step sets them."""
        decay = min(self.decay, (1 + turn.step) / (10 + turn.step)) if self.warmup else self.decay
        for name, tensor in stack.tensors.items():
            if not tensor.is_floating_point():
                continue
            if name not in means:
                means[name] = tensor.clone()
            else:
                means[name].lerp_(tensor, 1 - decay)
