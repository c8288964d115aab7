"""The knobs that a gradient can tune, and the parameters that share a weight decay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from ripieno.hypergradient.trees import Tensors
from ripieno.hypergradient.tunables import Bounded, Positive, Tunable
from ripieno.recipes import STARTS

__all__ = ["TUNABLES", "DecayGroups", "Per"]

Per = Literal["model", "layer", "parameter"]
"""What has a weight decay of its own."""

TUNABLES: Mapping[str, Tunable] = MappingProxyType(
    {
        "weight_decay": Positive(STARTS["weight_decay"]),
        "l1": Positive(STARTS["l1"]),
        "label_smoothing": Bounded(STARTS["label_smoothing"], 0.0, 1.0),
        "class_weights": Positive(1.0),
        "pos_weight": Positive(1.0),
        "focal_gamma": Positive(STARTS["focal_gamma"]),
        "input_noise": Positive(STARTS["input_noise"]),
    }
)
"""Knobs of the training loss that a gradient can tune, and where one begins that a config leaves
at zero. The learning rate is tuned beside them, in its own way."""


@dataclass(frozen=True, slots=True)
class DecayGroups:
    """Which weight decay belongs to which parameter.

    Args:
        names: Names of the groups.
        group: Number of each parameter's group.
    """

    names: tuple[str, ...]
    group: Mapping[str, int]

    @classmethod
    def of(cls, parameters: Sequence[str], per: Per) -> "DecayGroups":
        """Group parameters by what they belong to.

        Args:
            parameters: Their names in the module.
            per: All together, by the layer that holds them, or each for itself.
        """
        if per == "model":
            return cls(("model",), dict.fromkeys(parameters, 0))
        holders = [n if per == "parameter" else n.rpartition(".")[0] for n in parameters]
        names = tuple(dict.fromkeys(holders))
        own = zip(parameters, holders, strict=True)
        return cls(names, {name: names.index(holder) for name, holder in own})

    def penalty(self, params: Tensors, decay: Tensor) -> Tensor:
        """Return half of each row's decayed squares: its gradient is the coupled weight decay.

        Args:
            params: ``(members, ...)`` by name.
            decay: ``(members,)``, or ``(members, groups)`` where there are several.
        """
        columns = decay.reshape(len(decay), -1)
        squares = [
            columns[:, self.group[name]].to(p.dtype) * p.square().flatten(1).sum(1)
            for name, p in params.items()
        ]
        return 0.5 * torch.stack(squares).sum(0)
