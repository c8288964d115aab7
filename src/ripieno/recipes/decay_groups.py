"""Parameters that share a weight decay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["DecayGroups", "Per", "tuned_groups"]

Per = Literal["model", "layer", "parameter"]
"""What has a weight decay of its own."""

_SEVERAL: tuple[Per, ...] = ("layer", "parameter")
_TOP = "(top)"
"""The layer of the parameters that the module holds itself."""


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
        names = list(dict.fromkeys(holders))
        own = zip(parameters, holders, strict=True)
        group = {name: names.index(holder) for name, holder in own}
        return cls(tuple(name or _TOP for name in names), group)

    def penalty(self, params: Mapping[str, Tensor], decay: Tensor) -> Tensor:
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

    def along(self, params: Mapping[str, Tensor], decay: Tensor) -> dict[str, Tensor]:
        """Return the weight decay of each parameter, to be multiplied with it.

        Args:
            params: ``(members, ...)`` by name.
            decay: ``(members, groups)``.

        Returns:
            By name, ``(members, 1, ...)`` in the parameter's dtype.
        """
        columns = [decay[:, number] for number in range(len(self.names))]
        return {
            name: columns[self.group[name]].to(p.dtype).view(-1, *[1] * (p.ndim - 1))
            for name, p in params.items()
        }


def tuned_groups(tuned: Sequence[str], parameters: Sequence[str]) -> tuple[str, DecayGroups] | None:
    """Return what tunes weight decays of several groups, by its name, and the groups; or None.

    Args:
        tuned: What tunes itself.
        parameters: Names of the parameters that are trained.
    """
    for per in _SEVERAL:
        name = f"weight_decay_per_{per}"
        if name in tuned:
            return name, DecayGroups.of(parameters, per)
    return None
