"""Linear: one batched matrix product, or one large one where all rows see the same batch."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from ripieno.population.leaves.call import Rows
from ripieno.population.leaves.kernels import Kernel, Kernels

__all__ = ["linear"]


def linear(x: Rows, weight: Rows, bias: Rows | None, *, members: int, kernels: Kernels) -> Rows:
    """Apply each row's own matrix: ``(members, ..., out)``.

    Args:
        x: ``(..., in)`` for one model.
        weight: ``(out, in)`` for one model.
        bias: ``(out,)`` for one model, or None.
        members: Number of rows.
        kernels: Chooses between a batched product and a loop over rows.
    """
    if weight.dim is None and (bias is None or bias.dim is None):
        offset = None if bias is None else bias.tensor
        own = x.tensor if x.dim is None else x.members_first(members)
        return Rows(F.linear(own, weight.tensor, offset), None if x.dim is None else 0)
    matrices = weight.members_first(members)
    offsets = None if bias is None else bias.members_first(members)
    if x.dim is None and x.ndim == 2:
        return Rows(_shared(x.tensor, matrices, offsets), 0)
    own = x.members_first(members)
    points = own.flatten(1, -2) if own.ndim > 2 else own.unsqueeze(1)
    # One layout for a whole chain of layers: a change between them costs more than it saves.
    names = ("features", "loop") if own.ndim == 3 else ("batched", "loop")
    kernel = kernels.choose("linear", {n: _KERNELS[n] for n in names}, points, matrices, offsets)
    return Rows(kernel(points, matrices, offsets).view(*own.shape[:-1], -1), 0)


def _shared(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Every row sees the same batch: one ordinary product gives ``(members * out, batch)``."""
    rows = weight.flatten(0, 1)
    wide = rows @ x.mT if bias is None else torch.addmm(bias.reshape(-1, 1), rows, x.mT)
    return wide.view(*weight.shape[:2], -1).mT


def _features(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute ``(members, out, batch)`` in memory.

    The gradient of the weights is then made in the weights' own layout, and what follows
    works along the batch, which is most often the longer axis.
    """
    out = torch.bmm(weight, x.mT)
    # Not baddbmm, which first copies the biases to where the product goes.
    return (out if bias is None else out.add_(bias.unsqueeze(2))).mT


def _batched(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    out = torch.bmm(x, weight.mT)
    return out if bias is None else out.add_(bias.unsqueeze(1))


def _loop(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    offsets = [None] * len(x) if bias is None else bias.unbind()
    rows = zip(x.unbind(), weight.unbind(), offsets, strict=True)
    return torch.stack([F.linear(*row) for row in rows])


_KERNELS: Mapping[str, Kernel] = MappingProxyType(
    {"features": _features, "batched": _batched, "loop": _loop}
)
