"""Weight decays of several groups of parameters, as a part of the gradients of a stack."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ripieno.population.stack import Layout

__all__ = ["decayed"]


def decayed(
    arrays: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    parameters: Mapping[str, Tensor],
    *,
    layout: Layout,
) -> dict[str, Tensor]:
    """Return gradients with the weight decay of each group added.

    Args:
        arrays: The arrays of a stack.
        gradients: By parameter, ``(members, ...)``; of a flat stack all of them as one, under
            the name ``""``.
        parameters: As the gradients.
        layout: The stack's layout, of groups with weight decays of their own.
    """
    assert layout.decays is not None  # noqa: S101 - asked for by the caller
    name, groups = layout.decays
    held = {n: arrays[f"model/{n}"] for n in layout.trained}
    decays = groups.along(held, arrays[f"hyper/{name}"])
    if "" in gradients:
        decays = {"": torch.cat([d.expand_as(held[n]).flatten(1) for n, d in decays.items()], 1)}
    return {n: torch.addcmul(g, parameters[n], decays[n]) for n, g in gradients.items()}
