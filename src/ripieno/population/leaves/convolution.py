"""Convolution: one grouped convolution, its tensors in channels-last from leaf to leaf."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ripieno.population.leaves.call import Rows, split
from ripieno.population.leaves.kernels import Kernel, Kernels

__all__ = ["convolution"]

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def convolution(
    x: Rows,
    weight: Rows,
    bias: Rows | None,
    *,
    members: int,
    kernels: Kernels,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Rows:
    """Convolve with each row's own filters, in one, two or three dimensions.

    The result is ``(batch, members * out, ...)`` in memory, in channels-last where the input
    has two spatial axes, so that the leaf that follows finds it without a copy.

    Args:
        x: ``(batch, in, ...)`` or ``(in, ...)`` for one model.
        weight: ``(out, in / groups, ...)`` for one model.
        bias: ``(out,)`` for one model, or None.
        members: Number of rows.
        kernels: Chooses the kernel.
        stride: As in torch.
        padding: As in torch.
        dilation: As in torch.
        groups: As in torch, for one model.
    """
    if x.ndim == weight.ndim - 1:  # one image without a batch axis
        x = Rows(x.members_first(members).unsqueeze(1), 0)
        alone = True
    else:
        alone = False
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    convolve = partial(_CONVOLUTIONS[weight.ndim - 2], **options)
    if weight.dim is None and (bias is None or bias.dim is None):
        out = _same_filters(x, weight.tensor, bias, convolve=partial(convolve, groups=groups))
    else:
        filters = weight.members_first(members)
        offsets = None if bias is None else bias.members_first(members)
        if x.dim is None and groups == 1:
            # Every row sees the same batch: an ordinary convolution with more filters.
            wide = convolve(x.tensor, filters.flatten(0, 1), _flat(offsets))
            out = split(_channels_last(wide), 1, members)
        else:
            own = x.tensor.movedim(x.dim, 1) if x.dim is not None else _spread(x.tensor, members)
            kernel = kernels.choose(
                f"convolution {options} {groups}",
                _candidates(convolve, groups, on_cpu=own.device.type == "cpu"),
                own,
                filters,
                offsets,
            )
            out = Rows(kernel(own, filters, offsets), 1)
    return Rows(out.members_first(members).squeeze(1), 0) if alone else out


def _same_filters(x: Rows, filters: Tensor, bias: Rows | None, *, convolve: Kernel) -> Rows:
    offsets = None if bias is None else bias.tensor
    if x.dim is None:
        return Rows(convolve(x.tensor, filters, offsets), None)
    own = x.tensor.movedim(x.dim, 0)
    return split(convolve(own.flatten(0, 1), filters, offsets), 0, len(own))


def _candidates(convolve: Kernel, groups: int, *, on_cpu: bool) -> dict[str, Kernel]:
    """Kernels of ``x (batch, members, in, ...)``, the filters and the biases of the rows."""

    def grouped(x: Tensor, filters: Tensor, bias: Tensor | None) -> Tensor:
        wide = _fold_channels_last(x)
        out = convolve(wide, filters.flatten(0, 1), _flat(bias), groups=len(filters) * groups)
        return split(out, 1, len(filters)).tensor

    def contiguous(x: Tensor, filters: Tensor, bias: Tensor | None) -> Tensor:
        wide = x.flatten(1, 2).contiguous()
        out = convolve(wide, filters.flatten(0, 1), _flat(bias), groups=len(filters) * groups)
        return split(_channels_last(out), 1, len(filters)).tensor

    def loop(x: Tensor, filters: Tensor, bias: Tensor | None) -> Tensor:
        offsets = [None] * len(filters) if bias is None else bias.unbind()
        rows = zip(x.unbind(1), filters.unbind(), offsets, strict=True)
        outs = [convolve(*row, groups=groups) for row in rows]
        return split(_channels_last(torch.cat(outs, 1)), 1, len(filters)).tensor

    if not on_cpu:  # where the first two are one
        return {"contiguous": contiguous, "loop": loop}
    return {"grouped": grouped, "contiguous": contiguous, "loop": loop}


def _fold_channels_last(x: Tensor) -> Tensor:
    """Fold ``(batch, members, channels, ...)`` into channels-last with one copy at most."""
    if x.ndim != 5 or x.stride(1) == x.shape[2] * x.stride(2):
        return _channels_last(x.flatten(1, 2))
    return _channels_last(x.permute(0, 3, 4, 1, 2).flatten(3, 4).permute(0, 3, 1, 2))


def _channels_last(x: Tensor) -> Tensor:
    # A layout for the caches of a CPU: in float32 GPUs compute channels first.
    if x.ndim != 4 or x.device.type != "cpu":
        return x
    return x.contiguous(memory_format=torch.channels_last)


def _spread(x: Tensor, members: int) -> Tensor:
    return x.unsqueeze(1).expand(x.shape[0], members, *x.shape[1:])


def _flat(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.flatten()
