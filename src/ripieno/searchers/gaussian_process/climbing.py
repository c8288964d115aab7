"""From several points of the unit cube uphill at once.

Source: D. P. Bertsekas, "Projected Newton Methods for Optimization Problems with Simple
Constraints", SIAM Journal on Control and Optimization 20(2), 1982; the inverse Hessians are
those of Broyden, Fletcher, Goldfarb and Shanno.
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["climb"]

Function = Callable[[Tensor], Tensor]

_SHRINK = 0.25
_LONGEST = 0.2
_TRIES = 6
_ENOUGH = 1e-4


def climb(
    function: Function, starts: Tensor, *, free: Tensor, steps: int, enough: float = 1e-7
) -> tuple[Tensor, Tensor]:
    """Maximise a function from each start, all of them in one batch.

    Args:
        function: Maps points ``(count, dims)`` to values ``(count,)``, a point's value not
            depending on the other points; differentiable.
        starts: Points of the unit cube, shape ``(count, dims)``.
        free: Which coordinates may be changed, bool, shape ``(count, dims)``.
        steps: Iterations at most.
        enough: Stop where an iteration gains less than this in every climb.

    Returns:
        Where each climb ended, and the function's values there, none below its start's.
    """
    points = starts
    values, slopes = _evaluate(function, points)
    count, dims = points.shape
    identity = torch.eye(dims, dtype=points.dtype).expand(count, dims, dims)
    inverse, fresh = identity, torch.ones(count, dtype=torch.bool)
    resting = torch.zeros(count, dtype=torch.bool)
    for _ in range(steps):
        stuck = ~free | ((points <= 0.0) & (slopes < 0.0)) | ((points >= 1.0) & (slopes > 0.0))
        uphill = torch.where(stuck, 0.0, slopes)
        direction, plain = _direction(inverse, uphill, fresh=fresh, stuck=stuck)
        moved = _search(
            function, points, values, slopes=slopes, direction=direction, resting=resting
        )
        # Straight uphill it would try the same again.
        resting = resting | (plain & (moved[0] == points).all(1))
        gained = float((moved[1] - values).max())
        change, bend = moved[0] - points, torch.where(free, slopes - moved[2], 0.0)
        points, values, slopes = moved
        if gained < enough:
            break
        inverse, fresh = _update(inverse, fresh, change=change, bend=bend)
    return points, values


def _evaluate(function: Function, points: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        inputs = points.detach().requires_grad_()
        values = function(inputs)
        (slopes,) = torch.autograd.grad(values.sum(), inputs)
    return values.detach(), torch.nan_to_num(slopes)


def _direction(
    inverse: Tensor, uphill: Tensor, *, fresh: Tensor, stuck: Tensor
) -> tuple[Tensor, Tensor]:
    """Return where to go, and who goes straight uphill.

    Others go uphill bent by the inverse Hessian, within the free coordinates.
    """
    bent = torch.where(stuck, 0.0, torch.einsum("cij,cj->ci", inverse, uphill))
    wrong = fresh | ((bent * uphill).sum(1) <= 0.0)
    direction = torch.where(wrong[:, None], uphill, bent)
    longest = direction.abs().amax(1, keepdim=True).clamp_min(1e-300)
    limit = torch.where(wrong[:, None], 0.25 * _LONGEST, _LONGEST)
    scale = torch.where(wrong[:, None], limit / longest, (limit / longest).clamp_max(1.0))
    return direction * scale, wrong


def _search(
    function: Function,
    points: Tensor,
    values: Tensor,
    *,
    slopes: Tensor,
    direction: Tensor,
    resting: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Shorten each step until it gains enough; a point that cannot gain stays, or that rests."""
    best = points.clone(), values.clone(), slopes.clone()
    left, length = (~resting).nonzero()[:, 0], 1.0
    for _ in range(_TRIES):
        if not len(left):
            break
        tried = (points[left] + length * direction[left]).clamp(0.0, 1.0)
        reached, steepness = _evaluate(function, tried)
        promised = _ENOUGH * (slopes[left] * (tried - points[left])).sum(1)
        good = reached >= values[left] + promised
        for kept, new in zip(best, (tried, reached, steepness), strict=True):
            kept[left[good]] = new[good]
        left, length = left[~good], _SHRINK * length
    return best


def _update(
    inverse: Tensor, fresh: Tensor, *, change: Tensor, bend: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the inverse Hessians after a step, and which of them are of no use."""
    product = (change * bend).sum(1)
    usable = product > 1e-12
    safe = torch.where(usable, product, 1.0)[:, None, None]
    identity = torch.eye(change.shape[1], dtype=change.dtype)
    scale = product / bend.square().sum(1).clamp_min(1e-300)
    start = torch.where(fresh[:, None, None], scale[:, None, None] * identity, inverse)
    left = identity - change[:, :, None] * bend[:, None, :] / safe
    updated = left @ start @ left.transpose(1, 2) + change[:, :, None] * change[:, None, :] / safe
    return torch.where(usable[:, None, None], updated, inverse), ~usable
