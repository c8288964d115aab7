"""Attention: members and batch become one axis, then torch's own kernel."""

import torch.nn.functional as F
from torch import Tensor

from ripieno.population.leaves.call import Rows

__all__ = ["attention"]


def attention(  # noqa: PLR0917 - one operand a tensor
    query: Rows,
    key: Rows,
    value: Rows,
    mask: Rows | None,
    *,
    members: int,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
) -> Rows:
    """Attend within each row.

    Args:
        query: ``(..., length, dims)`` for one model.
        key: ``(..., keys, dims)`` for one model.
        value: ``(..., keys, features)`` for one model.
        mask: Boolean or added, broadcast to ``(..., length, keys)``; or None.
        members: Number of rows.
        is_causal: As in torch.
        scale: As in torch.
        enable_gqa: As in torch.
    """
    q, k, v = (_merged(part.members_first(members)) for part in (query, key, value))
    bias = None if mask is None else _mask(mask, query, key, members=members)
    out = F.scaled_dot_product_attention(
        q, k, v, attn_mask=bias, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa
    )
    lead = query.members_first(members).shape[:-2]
    return Rows(out.reshape(*lead, *out.shape[-2:]), 0)


def _merged(part: Tensor) -> Tensor:
    """``(members, batch, heads, length, dims)`` as ``(members * batch, heads, ...)``."""
    return part.flatten(0, part.ndim - 4) if part.ndim > 4 else part


def _mask(mask: Rows, query: Rows, key: Rows, *, members: int) -> Tensor:
    if mask.dim is None and mask.ndim <= 2:
        return mask.tensor
    lead = query.members_first(members).shape[:-1]
    own = mask.members_first(members)
    axes = len(lead) + 1
    own = own.reshape(members, *[1] * (axes - own.ndim), *own.shape[1:])
    keys = key.tensor.movedim(key.dim, 0).shape[-2] if key.dim is not None else key.tensor.shape[-2]
    return _merged(own.expand(*lead, keys))
