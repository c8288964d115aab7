"""Activations with weights, or with a number of each row."""

import torch
from torch import Tensor

from ripieno.population.leaves.call import Rows

__all__ = ["leaky_relu", "prelu"]


def leaky_relu(x: Rows, *, members: int, slopes: Tensor) -> Rows:
    """Scale what is negative by each row's own slope.

    Args:
        x: Any shape for one model.
        members: Number of rows.
        slopes: float64 ``(members,)``.
    """
    dim = 0 if x.dim is None else x.dim
    own = x.tensor.unsqueeze(0) if x.dim is None else x.tensor
    shape = [1] * own.ndim
    shape[dim] = members
    return Rows(torch.where(own > 0, own, own * slopes.to(own.dtype).view(shape)), dim)


def prelu(x: Rows, weight: Rows, *, members: int) -> Rows:
    """Scale what is negative by each row's own slopes.

    Args:
        x: ``(batch, channels, ...)`` for one model.
        weight: ``(1,)`` or ``(channels,)`` for one model.
        members: Number of rows.
    """
    dim = 0 if x.dim is None else min(x.dim, 1)
    own = x.tensor.unsqueeze(0) if x.dim is None else x.tensor.movedim(x.dim, dim)
    slopes = weight.members_first(members)
    shape = [1] * own.ndim
    shape[dim] = members
    if slopes.shape[1] > 1:
        shape[2] = slopes.shape[1]  # behind the member and the batch axis, in either order
    return Rows(torch.where(own > 0, own, own * slopes.reshape(shape)), dim)
