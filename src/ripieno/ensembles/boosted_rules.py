"""How members of a boosting answer: the sum of their outputs, or their weighted median."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from ripieno.ensembles.rules import Rule, checked_shares
from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = ["AdditiveRule", "WeightedMedianRule"]


class AdditiveRule(Rule):
    """A constant, and a sum of the members' outputs, each times its rate.

    Of classes the softmax of that sum; log-probabilities do as well as outputs, which differ
    from them by a number that all classes share. Of labels the log-odds, of a regression the
    values themselves.

    Args:
        rates: What each member's outputs are multiplied with, positive.
        intercept: One number an output.
        task: The task.
    """

    name: ClassVar[str] = "additive"

    def __init__(
        self,
        rates: ArrayLike,
        intercept: ArrayLike,
        *,
        task: TaskName = "classification",
    ) -> None:
        super().__init__(task=task)
        checked_shares(rates)
        self._rates = tuple(np.asarray(rates, dtype=np.float64).tolist())
        self._intercept = tuple(np.asarray(intercept, dtype=np.float64).tolist())

    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:  # noqa: ARG002 - sums look at scores alone
        """Return the ensemble's scores; see :meth:`Rule.forward`."""
        rates = torch.tensor(self._rates, dtype=scores.dtype, device=scores.device)
        start = torch.tensor(self._intercept, dtype=scores.dtype, device=scores.device)
        total = (scores * rates[:, None, None]).sum(dim=0) + start
        return F.log_softmax(total, dim=-1) if self.task == "classification" else total

    @property
    def shares(self) -> tuple[float, ...]:
        """The rates, divided by their sum."""
        return checked_shares(self._rates)

    def options(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"rates": list(self._rates), "intercept": list(self._intercept), "task": self.task}

    def tensors(self) -> dict[str, Tensor]:
        """Return nothing: the numbers say it all."""
        return {}

    def keep(self, members: Sequence[int]) -> Rule:
        """Return the rule of the first members, in their order.

        Raises:
            EnsembleError: They are not the first ones: each was fitted on what those before
                it had left.
        """
        if list(members) != list(range(len(members))):
            raise EnsembleError(
                f"the members {list(members)} were boosted on others before them.",
                where="pruning an ensemble with an additive rule",
                fix="keep the first ones, or distill the ensemble.",
            )
        return AdditiveRule(self._rates[: len(members)], self._intercept, task=self.task)


class WeightedMedianRule(Rule):
    """The weighted median of values, column by column, as AdaBoost.R2 has it.

    It is the smallest value at which the members that say no more hold half of the weight.

    Args:
        weights: Of the members, positive; divided by their sum.
        task: ``regression``.
    """

    name: ClassVar[str] = "weighted_median"
    tasks: ClassVar[tuple[TaskName, ...]] = ("regression",)

    def __init__(self, weights: ArrayLike, *, task: TaskName = "regression") -> None:
        super().__init__(task=task)
        self._weights = checked_shares(weights)

    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:  # noqa: ARG002 - medians look at scores alone
        """Return the ensemble's values; see :meth:`Rule.forward`."""
        weights = torch.tensor(self._weights, dtype=torch.float64, device=scores.device)
        ordered, places = scores.sort(dim=0)
        # Half is reached up to the rounding of a sum of shares.
        reached = weights[places].cumsum(dim=0) >= 0.5 - 1e-12
        first = reached.to(torch.int64).argmax(dim=0, keepdim=True)
        return ordered.gather(0, first)[0]

    @property
    def shares(self) -> tuple[float, ...]:
        """The weights, of sum 1."""
        return self._weights

    def options(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"weights": list(self._weights), "task": self.task}

    def tensors(self) -> dict[str, Tensor]:
        """Return nothing: the weights say it all."""
        return {}

    def keep(self, members: Sequence[int]) -> Rule:
        """Return the median of some members."""
        return WeightedMedianRule([self._weights[member] for member in members])
