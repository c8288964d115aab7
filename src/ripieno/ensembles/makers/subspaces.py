"""Members that see some of the features only.

Source: Ho, "The random subspace method for constructing decision forests", 1998.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ripieno.recipes import Data, ModelFactory, Recipe
from ripieno.space import Config

__all__ = ["Subspace", "SubspaceFactory", "in_subspaces"]


class Subspace(nn.Module):
    """A model to which all features but some look like zero: the mean of standardised ones.

    For a first layer that is linear this is the same as not to be given them. The mask is part
    of the state, so models with different ones are rows of one stack.

    Args:
        model: The model.
        mask: 1 for a feature that it sees, else 0; of the shape of a row.
    """

    mask: Tensor

    def __init__(self, model: nn.Module, mask: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the model makes of the features that it sees."""
        found: Tensor = self.model(x * self.mask)
        return found


@dataclass(frozen=True, slots=True)
class SubspaceFactory:
    """Builds models that each see features of their own, drawn from torch's generator.

    Args:
        model: Builds the model inside.
        shape: Of a row; all its numbers are features.
        share: Share of the features that a model sees; at least one.
    """

    model: ModelFactory
    shape: tuple[int, ...]
    share: float

    def __call__(self, config: Config) -> nn.Module:
        """Return a model; its weights are drawn as they would be without a subspace."""
        model = self.model(config)
        features = math.prod(self.shape)
        seen = max(1, round(self.share * features))
        mask = torch.zeros(features)
        mask[torch.randperm(features)[:seen]] = 1.0
        return Subspace(model, mask.view(self.shape))


def in_subspaces(recipe: Recipe, data: Data, share: float) -> Recipe:
    """Return the recipe with models that see a share of the features.

    Its name says so: an ensemble of such members is loaded with ``Ensemble.load(folder,
    in_subspaces(recipe, data, share).model)``.
    """
    factory = SubspaceFactory(recipe.model, data.shape, share)
    return replace(recipe, model=factory, name=f"{recipe.name} in subspaces")
