"""Functions that treat each channel of each sample alone: pooling, resizing, mirrored padding."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ripieno.population.leaves.call import Rows, split

__all__ = ["max_pool_blocks", "per_channel"]


def per_channel(
    x: Rows, *, members: int, function: Callable[[Tensor], Any], spatial: int
) -> Rows | tuple[Rows, ...]:
    """Apply a function of ``(batch, channels, ...)`` that mixes neither of the two.

    The member axis goes where it needs no copy: into the channels behind a convolution,
    into the batch otherwise.

    Args:
        x: ``(batch, channels, ...)`` or ``(channels, ...)`` for one model.
        members: Number of rows.
        function: What to apply; its options are bound to it.
        spatial: Number of axes that ``...`` stands for.
    """
    if x.dim is None:
        return _rows(function(x.tensor), lambda out: Rows(out, None))
    if x.ndim == spatial + 1:
        return _rows(function(x.tensor.movedim(x.dim, 0)), lambda out: Rows(out, 0))
    if x.dim == 1:
        return _rows(function(x.tensor.flatten(1, 2)), lambda out: split(out, 1, members))
    own = x.tensor.movedim(x.dim, 0).flatten(0, 1)
    return _rows(function(own), lambda out: split(out, 0, members))


def _rows(out: Any, rows: Callable[[Tensor], Rows]) -> Rows | tuple[Rows, ...]:
    """Name the member axis of one result, or of each of several (values and indices)."""
    return tuple(rows(part) for part in out) if isinstance(out, tuple) else rows(out)


def max_pool_blocks(x: Rows, *, members: int, size: tuple[int, int]) -> Rows:
    """Take the maximum of each block of an image, as ``F.max_pool2d`` without overlap does.

    Of equal numbers the first one in the order of rows gets the gradient, and NaN wins, as in
    torch. A compiler makes one loop of this forward and one backward, where it makes a scatter
    of the pooling's own backward.

    Args:
        x: ``(batch, channels, height, width)`` for one model.
        members: Number of rows.
        size: Height and width of a block; they divide those of the image.
    """
    image = x.folded(members).permute(0, 2, 3, 1)
    batch, height, width, channels = image.shape
    down, along = size
    blocks = image.reshape(batch, height // down, down, width // along, along, channels)
    seen = blocks.detach()
    largest = seen[:, :, 0, :, 0]
    place = torch.zeros_like(largest)
    for number in range(1, down * along):
        other = seen[:, :, number // along, :, number % along]
        wins = (other > largest) | (other != other)  # noqa: PLR0124 - NaN alone differs from itself
        largest = torch.where(wins, other, largest)
        place = torch.where(wins, float(number), place)
    out: Tensor = _Chosen.apply(blocks, largest, place)  # type: ignore[no-untyped-call]
    return split(out.permute(0, 3, 1, 2), 1, members)


class _Chosen(torch.autograd.Function):
    """The largest number of each block; its gradient goes to the place it came from."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd's protocol
        ctx: Any, blocks: Tensor, largest: Tensor, place: Tensor
    ) -> Tensor:
        ctx.save_for_backward(place)
        ctx.size = (blocks.shape[2], blocks.shape[4])
        return largest.view_as(largest)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (place,), (down, along) = ctx.saved_tensors, ctx.size
        numbers = torch.arange(down * along, dtype=place.dtype, device=place.device)
        chosen = place[:, :, None, :, None] == numbers.view(1, 1, down, 1, along, 1)
        return torch.where(chosen, gradients[0][:, :, None, :, None], 0.0), None, None
