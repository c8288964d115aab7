"""The logarithm of the hypervolume that a point is expected to add to a Pareto front.

The space between the front and the reference point is cut into boxes. What a point adds to a
box is a product over the objectives, and so is its expectation, as the objectives are
modelled one by one: a difference of two expected improvements each.

Source: S. Daulton, M. Balandat, E. Bakshy, "Parallel Bayesian Optimization of Multiple Noisy
Objectives with Expected Hypervolume Improvement", NeurIPS 2021 (the average over what noisy
and pending values may be); K. Yang, M. Emmerich, A. Deutz, T. Bäck, "Efficient Computation of
Expected Hypervolume Improvement Using Box Decomposition Algorithms", Journal of Global
Optimization 75, 2019 (the closed form); S. Ament et al., NeurIPS 2023 (in logarithms).
"""

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from ripieno.searchers.gaussian_process.improvement import log_h

__all__ = ["Boxes", "log_expected_hypervolume", "reference_point"]

_FAR = -1e6


@dataclass(frozen=True, slots=True)
class Boxes:
    """What no point of a front dominates, in boxes, for each scenario.

    Args:
        lower: Shape ``(scenarios, boxes, objectives)``; scenarios with fewer boxes are filled
            up with empty ones.
        upper: Likewise.
    """

    lower: Tensor
    upper: Tensor

    @classmethod
    def beyond(cls, known: Tensor, reference: Tensor) -> "Boxes":
        """Return the boxes that are left by points, less being better.

        Args:
            known: Shape ``(scenarios, points, objectives)``.
            reference: The worst that counts, shape ``(objectives,)``.
        """
        with warnings.catch_warnings():
            # Of torch.jit.script, which a library below BoTorch still calls on import.
            warnings.simplefilter("ignore", DeprecationWarning)
            from botorch.utils.multi_objective.box_decompositions.non_dominated import (
                FastNondominatedPartitioning,
            )

        # BoTorch's boxes are for objectives of which more is better.
        bounds = [
            FastNondominatedPartitioning(ref_point=-reference, Y=-points).get_hypercell_bounds()
            for points in known
        ]
        most = max(each.shape[1] for each in bounds)
        filled = torch.zeros(len(bounds), 2, most, known.shape[2], dtype=known.dtype)
        for place, each in zip(filled, bounds, strict=True):
            place[:, : each.shape[1]] = -each.flip(0)
        return cls(filled[:, 0].clamp_min(_FAR), filled[:, 1])


def log_expected_hypervolume(means: Tensor, variances: Tensor, boxes: Boxes) -> Tensor:
    """Return the logarithm of the expected gain in hypervolume, averaged over scenarios.

    Args:
        means: Of the objectives, shape ``(count, scenarios, objectives)``.
        variances: Above zero, shape ``(count, objectives)``.
        boxes: What the points that are known leave.

    Returns:
        Shape ``(count,)``.
    """
    spread = variances.sqrt()[:, None, None, :]
    center = means[:, :, None, :]
    whole = spread.log() + log_h((boxes.upper - center) / spread)
    below = spread.log() + log_h((boxes.lower - center) / spread)
    empty = boxes.upper <= boxes.lower
    # E[max(upper - f, 0)] - E[max(lower - f, 0)], the expected length within the box.
    length = whole + _log1mexp(torch.where(empty, 1.0, whole - below).clamp_min(1e-12))
    volume = torch.where(empty.any(2), -torch.inf, length.sum(3))
    return torch.logsumexp(volume.flatten(1), dim=1) - math.log(len(boxes.lower))


def reference_point(front: Tensor) -> Tensor:
    """Return a point that is worse than a front by half of its width in each objective.

    A front that is narrow yet is taken to be as wide as the targets' standard deviation: what
    lies beyond the reference counts for nothing, and so its ends would never be looked for.

    Args:
        front: Standardised targets, shape ``(points, objectives)``, less being better.
    """
    worst, best = front.max(0).values, front.min(0).values
    return worst + 0.5 * (worst - best).clamp_min(1.0)


def _log1mexp(gap: Tensor) -> Tensor:
    """Return log(1 - exp(-gap)) for a gap above zero."""
    small = gap < math.log(2.0)
    near = torch.log(-torch.expm1(-torch.where(small, gap, 1.0)))
    return torch.where(small, near, torch.log1p(-torch.exp(-torch.where(small, 1.0, gap))))
