"""Normalisation: batch, instance and group norm over folded channels, and layer norm.

The running statistics are written in place, in the stacked buffers themselves.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ripieno.population.leaves.call import Rows, split

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm"]


def batch_norm(  # noqa: PLR0917 - one operand a tensor
    x: Rows,
    weight: Rows | None,
    bias: Rows | None,
    running_mean: Rows | None,
    running_var: Rows | None,
    batches: Rows | None,
    *,
    members: int,
    training: bool,
    momentum: Tensor | float,
    eps: float,
) -> Rows:
    """Normalise each channel of each row over its own batch.

    Args:
        x: ``(batch, channels, ...)`` for one model.
        weight: ``(channels,)`` for one model, or None.
        bias: ``(channels,)`` for one model, or None.
        running_mean: ``(channels,)`` for one model, or None; updated in place.
        running_var: As ``running_mean``.
        batches: ``()`` for one model: batches seen, this one included. If it is given, the
            statistics are cumulative and ``momentum`` is not used.
        members: Number of rows.
        training: Whether the batch's own statistics are used.
        momentum: One number, or one a row: ``(members,)``.
        eps: Added to the variance.
    """
    wide, rows = _channels(x, members)
    scale, shift = _flat(weight, members), _flat(bias, members)
    if running_mean is None or running_var is None:
        out = F.batch_norm(wide, None, None, scale, shift, training=True, eps=eps)
        return rows(out)
    if not training:
        mean, var = _flat(running_mean, members), _flat(running_var, members)
        return rows(F.batch_norm(wide, mean, var, scale, shift, training=False, eps=eps))
    # With momentum 1 torch leaves the statistics of this batch alone behind; they are then
    # mixed in with each row's own momentum.
    mean, var = wide.new_zeros(wide.shape[1]), wide.new_zeros(wide.shape[1])
    out = F.batch_norm(wide, mean, var, scale, shift, True, 1.0, eps)
    share: Tensor | float = momentum
    if batches is not None:
        share = batches.members_first(members).to(wide.dtype).reciprocal()
    if isinstance(share, Tensor):
        share = share.to(wide.dtype).unsqueeze(1)
    for running, seen in ((running_mean, mean), (running_var, var)):
        _mix(running, seen.view(members, -1), share)
    return rows(out)


def _channels(x: Rows, members: int) -> tuple[Tensor, Callable[[Tensor], Rows]]:
    """Fold rows into channels; return how the result is unfolded, too."""
    if x.ndim == 2:
        # Without a spatial axis the batch becomes one: (1, members * channels, batch), which
        # is how a linear leaf leaves its output in memory.
        own = x.members_first(members).mT
        return own.reshape(1, -1, own.shape[2]), lambda out: Rows(out.view(own.shape).mT, 0)
    if x.ndim == 4:
        # (batch * height * width, members * channels): how a convolution leaves it.
        image = x.folded(members).permute(0, 2, 3, 1)
        return image.flatten(0, 2), lambda out: split(
            out.view(image.shape).permute(0, 3, 1, 2), 1, members
        )
    return x.folded(members), lambda out: split(out, 1, members)


def _mix(running: Rows, seen: Tensor, share: Tensor | float) -> None:
    if running.dim is None:
        # One buffer for all rows: it cannot hold the statistics of each of them.
        message = "running statistics are not stacked"
        raise NotImplementedError(message)
    target = running.tensor.movedim(running.dim, 0)
    target.mul_(1 - share).add_(seen * share)


def instance_norm(
    x: Rows, weight: Rows | None, bias: Rows | None, *, members: int, eps: float
) -> Rows:
    """Normalise each channel of each sample; without running statistics."""
    scale, shift = _flat(weight, members), _flat(bias, members)
    out = F.instance_norm(x.folded(members), weight=scale, bias=shift, eps=eps)
    return split(out, 1, members)


def group_norm(
    x: Rows, weight: Rows | None, bias: Rows | None, *, members: int, groups: int, eps: float
) -> Rows:
    """Normalise each group of channels of each sample.

    Args:
        x: ``(batch, channels, ...)`` for one model.
        weight: ``(channels,)`` for one model, or None.
        bias: ``(channels,)`` for one model, or None.
        members: Number of rows.
        groups: Groups of one model.
        eps: Added to the variance.
    """
    scale, shift = _flat(weight, members), _flat(bias, members)
    out = F.group_norm(x.folded(members), members * groups, scale, shift, eps)
    return split(out, 1, members)


def layer_norm(
    x: Rows,
    weight: Rows | None,
    bias: Rows | None,
    *,
    members: int,
    shape: Sequence[int],
    eps: float,
) -> Rows:
    """Normalise over the last axes, then scale and shift by each row's own numbers.

    Args:
        x: ``(..., *shape)`` for one model.
        weight: ``shape`` for one model, or None.
        bias: ``shape`` for one model, or None.
        members: Number of rows.
        shape: The last axes.
        eps: Added to the variance.
    """
    own = x.tensor if x.dim is None else x.tensor.movedim(x.dim, 0)
    out = F.layer_norm(own, shape, eps=eps)
    if weight is None and bias is None:
        return Rows(out, None if x.dim is None else 0)
    out = out if x.dim is not None else out.unsqueeze(0)
    view = (members, *[1] * (x.ndim - len(shape)), *shape)
    scale = None if weight is None else weight.members_first(members).reshape(view)
    shift = None if bias is None else bias.members_first(members).reshape(view)
    if scale is not None and shift is not None:
        return Rows(torch.addcmul(shift, out, scale), 0)
    if scale is not None:
        return Rows(out * scale, 0)
    return Rows(out if shift is None else out + shift, 0)


def _flat(values: Rows | None, members: int) -> Tensor | None:
    """``(members, channels)`` as ``(members * channels,)``."""
    return None if values is None else values.members_first(members).flatten()
