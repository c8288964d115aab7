"""A regression's members as bell curves: their mixture knows how sure it is.

Source: Lakshminarayanan, Pritzel, Blundell, Simple and scalable predictive uncertainty
estimation using deep ensembles, NeurIPS 2017 (the moments); Raftery et al., Using Bayesian
model averaging to calibrate forecast ensembles, 2005 (weights and variances from held-out rows).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ripieno.ensembles.combination import Combination, best_members
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.rules import Rule, checked_shares
from ripieno.ensembles.weighting import best_proportions
from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = ["GaussianMixture", "MixtureRule", "mixture_moments"]

_FAINTEST = 1e-4


def mixture_moments(
    means: ArrayLike, variances: ArrayLike, weights: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of a mixture of normal distributions.

    ``mu = sum_m w_m mu_m`` and ``var = sum_m w_m (var_m + mu_m^2) - mu^2``: what the members
    are unsure of, and what they disagree about. (Variances, not standard deviations.)

    Args:
        means: Shape ``(members, …)``.
        variances: Shape ``(members, …)``, or one that can be broadcast to it; not negative.
        weights: Shares of the members, ``(members,)``; equal where absent.

    Raises:
        EnsembleError: A variance is negative, or the shapes do not match.
    """
    mu = np.asarray(means, dtype=np.float64)
    shares = np.full(len(mu), 1 / len(mu)) if weights is None else np.asarray(weights, np.float64)
    try:
        own = np.broadcast_to(np.asarray(variances, dtype=np.float64), mu.shape)
    except ValueError:
        own = np.full(mu.shape, np.nan)
    if not (own >= 0).all() or shares.shape != mu.shape[:1]:
        raise EnsembleError(
            f"variances of the shape {np.shape(variances)} and {shares.size} weights do not fit "
            f"means of the shape {mu.shape}.",
            where="mixture_moments",
            fix="pass variances that are not negative, and one weight a member.",
        )
    mean = np.tensordot(shares, mu, axes=1)
    # About the mean, not about zero: large values with small spreads keep their digits.
    variance = np.tensordot(shares, own + (mu - mean) ** 2, axes=1)
    return mean, variance


class MixtureRule(Rule):
    """The mean of a mixture of normal distributions about the members' values.

    Args:
        variances: Of each member about its values, shape ``(members, columns)``.
        weights: Shares of the members.
        task: ``regression``.
    """

    name: ClassVar[str] = "mixture"
    tasks: ClassVar[tuple[TaskName, ...]] = ("regression",)
    variances: Tensor

    def __init__(
        self, variances: Tensor, *, weights: ArrayLike, task: TaskName = "regression"
    ) -> None:
        super().__init__(task=task)
        self._weights = checked_shares(weights)
        self.register_buffer("variances", variances)

    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:  # noqa: ARG002 - it looks at values alone
        """Return the mean of the mixture; see :meth:`Rule.forward`."""
        shares = scores.new_tensor(self._weights)[:, None, None]
        return (scores * shares).sum(dim=0)

    def moments(self, values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and variance of the mixture, each ``(rows, columns)``.

        Args:
            values: Of the members, shape ``(members, rows, columns)``.
        """
        variances = self.variances.double().cpu().numpy()[:, None, :]
        return mixture_moments(values, variances, self._weights)

    @property
    def shares(self) -> tuple[float, ...]:
        """The members' shares."""
        return self._weights

    def options(self) -> dict[str, Any]:
        """Return the arguments of the constructor that are no tensors."""
        return {"weights": list(self._weights), "task": self.task}

    def keep(self, members: Sequence[int]) -> Rule:
        """Return the mixture of some members, their shares divided by their sum."""
        weights = [self._weights[member] for member in members]
        return MixtureRule(self.variances[list(members)], weights=weights, task=self.task)


@dataclass(frozen=True, slots=True)
class GaussianMixture:
    """Learn each member's variance from its held-out errors, and the shares of the mixture.

    Args:
        size: The best members to mix; None for all.
    """

    size: int | None = 10

    def fit(self, library: Predictions) -> Combination:
        """Return the members and the rule; see :class:`Combiner`.

        Raises:
            EnsembleError: The task is no regression.
        """
        members = best_members(library, self.size)
        part = library.subset(list(members))
        if part.task != "regression":
            raise EnsembleError(
                f"a mixture of normal distributions is no answer of {part.task}.",
                where="GaussianMixture.fit",
                fix="use it for a regression.",
            )
        errors = part.probabilities.astype(np.float64) - part.targets
        floor = 1e-12 * np.maximum(part.targets.var(axis=0), np.finfo(np.float64).tiny)
        variances = np.maximum((errors**2).mean(axis=1), floor)
        logs = -0.5 * (errors**2 / variances[:, None] + np.log(variances[:, None])).sum(axis=2)
        # A row may be scaled at will: the likeliest member of each is 1.
        weights = best_proportions(np.exp(logs - logs.max(axis=0)))
        kept = np.flatnonzero(weights >= _FAINTEST)
        rule = MixtureRule(torch.from_numpy(variances[kept]), weights=weights[kept])
        return Combination(tuple(members[place] for place in kept), rule)
