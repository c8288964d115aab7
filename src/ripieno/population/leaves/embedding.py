"""Embedding: one table with the rows' tables below each other."""

import torch
import torch.nn.functional as F

from ripieno.population.leaves.call import Rows

__all__ = ["embedding"]


def embedding(ids: Rows, weight: Rows, *, members: int, padding_idx: int | None) -> Rows:
    """Look up each row's own table.

    Args:
        ids: Integers of any shape for one model.
        weight: ``(points, dims)`` for one model.
        members: Number of rows.
        padding_idx: The entry that gets no gradient, in every row's table; or None.
    """
    if weight.dim is None:
        found = F.embedding(ids.tensor, weight.tensor, padding_idx)
        return Rows(found, ids.dim)
    tables = weight.tensor.movedim(weight.dim, 0)
    points = tables.shape[1]
    wanted = ids.members_first(members)
    first = torch.arange(members, device=wanted.device).mul(points)
    below = wanted + first.view(-1, *[1] * (wanted.ndim - 1))
    out = F.embedding(below, tables.flatten(0, 1))
    if padding_idx is not None:
        padded = (wanted == padding_idx % points).unsqueeze(-1)
        out = torch.where(padded, out.detach(), out)
    return Rows(out, 0)
