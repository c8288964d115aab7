"""Members that are trained to differ, and members that are trained as one.

Sources: Liu and Yao, "Ensemble learning via negative correlation", 1999; for classes the same
with the decomposition of Wood et al., "A unified theory of diversity in ensemble learning",
JMLR 2023: the loss of the geometric mean is the members' mean loss less their ambiguity.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.stacks import joint_ensemble, mean_of_outputs
from ripieno.population import Hooks, SteppedStack, Turn
from ripieno.recipes import Data, Recipe, TaskName

__all__ = ["Fusion", "NegativeCorrelation", "correlated_loss"]


@dataclass(frozen=True, slots=True)
class NegativeCorrelation:
    """Trains members side by side, each rewarded for being apart from their mean output.

    Args:
        members: How many, of one architecture.
        strength: How much being apart counts, in [0, 1]: at 0 members are independent, at 1
            they are trained as one (:class:`Fusion`), and lean on each other.
    """

    members: int = 5
    strength: float = 0.3

    def __post_init__(self) -> None:
        check(self, members=self.members >= 2, strength=0 <= self.strength <= 1)

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`.

        The loss is the task's own (cross entropy, binary cross entropy, half the squared
        error); the config's ``loss`` and its options are not looked at.

        Raises:
            EnsembleError: The data are folds or a stream, or a member diverged.
            RecipeError: The configs are no rows of one stack.
        """
        recipe = ready(recipe, data, streams=False)
        own = configs_of(configs, self.members)
        stack = SteppedStack(recipe, data, own, seed=seed, together=True)

        def objective(outputs: Tensor, turn: Turn) -> Tensor:
            y = turn.batch["y"]
            return correlated_loss(outputs, y, task=data.task, strength=self.strength)

        stack.train(recipe.epochs, Hooks(objective=objective, steady=True))
        return joint_ensemble(stack, own, mean_of_outputs(data, self.members))


@dataclass(frozen=True, slots=True)
class Fusion:
    """Trains the mean of the members' outputs as if it were one model.

    The members are given no reason to be right by themselves, and often one does all the work:
    look at the members' own scores in the report, and prefer independent members or a
    ``NegativeCorrelation`` of small strength where they are bad.

    Args:
        members: How many, of one architecture.
    """

    members: int = 5

    def __post_init__(self) -> None:
        check(self, members=self.members >= 1)

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`.

        Raises:
            EnsembleError: The data are folds or a stream, or a member diverged.
            RecipeError: The configs are no rows of one stack.
        """
        recipe = ready(recipe, data, streams=False)
        own = configs_of(configs, self.members)
        stack = SteppedStack(recipe, data, own, seed=seed, together=True)

        def objective(outputs: Tensor, turn: Turn) -> Tensor:
            # One loss, said by each member: their sum over the members is the loss itself.
            return stack.losses(outputs.mean(0, keepdim=True).expand_as(outputs), turn) / (
                self.members
            )

        stack.train(recipe.epochs, Hooks(objective=objective, steady=True))
        return joint_ensemble(stack, own, mean_of_outputs(data, self.members))


def correlated_loss(outputs: Tensor, y: Tensor, *, task: TaskName, strength: float) -> Tensor:
    """Return each member's loss less its distance from the mean output, ``(members,)``.

    The mean is held still, so that at strength 1 a member's gradient is ``members`` times that
    of the loss of the mean.

    Args:
        outputs: Shape ``(members, batch, outputs)``.
        y: Targets, ``(members, batch)``, or ``(members, batch, outputs)``.
        task: The task.
        strength: What the distance counts.
    """
    mean = outputs.detach().mean(0, keepdim=True).expand_as(outputs)
    if task == "regression":
        losses = 0.5 * (outputs - y) ** 2 - 0.5 * strength * (outputs - mean) ** 2
        return losses.sum(-1).mean(-1)
    if task == "multilabel":
        own = F.binary_cross_entropy_with_logits(outputs, y, reduction="none")
        shared = torch.sigmoid(mean)
        # KL(mean || member) but for the entropy of the mean, which has no gradient.
        apart = F.binary_cross_entropy_with_logits(outputs, shared, reduction="none")
        return (own - strength * (apart - _entropy(mean))).mean(dim=(1, 2))
    logs = torch.log_softmax(outputs, -1)
    own = -logs.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    mean_logs = torch.log_softmax(mean, -1)  # the normalised geometric mean
    distance = (mean_logs.exp() * (mean_logs - logs)).sum(-1)
    return (own - strength * distance).mean(-1)


def _entropy(logits: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.sigmoid(logits), reduction="none")
