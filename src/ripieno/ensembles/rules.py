"""How members' scores become one answer: voting. Rules are modules, so they can be exported.

Scores are log-probabilities of classes, log-odds of labels, or values in the target's own
units; a rule maps those of the members, ``(members, batch, outputs)``, to the ensemble's,
``(batch, outputs)``. Averaging probabilities, log-probabilities or named classes are three
rules, and an ensemble has exactly one.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from ripieno.ensembles.fitted import Fitted
from ripieno.ensembles.metrics import SMALLEST
from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = ["GeometricRule", "HardRule", "MedianRule", "Rule", "SoftRule", "checked_shares"]

# One vote against all others still leaves a label's log-odds finite.
_LABEL_EDGE = 1e-6


class Rule(Fitted):
    """How members' scores become one answer.

    Args:
        task: The task; a rule that does not know it refuses it.
    """

    tasks: ClassVar[tuple[TaskName, ...]] = ("classification", "multilabel", "regression")
    reads_embedding: bool = False
    """Whether the rule looks at where rows lie, besides what members say of them."""

    def __init__(self, *, task: TaskName = "classification") -> None:
        super().__init__()
        if task not in self.tasks:
            raise EnsembleError(
                f"{self.name} does not combine answers of {task}.",
                where=type(self).__qualname__,
                fix=f"it combines those of {' and '.join(self.tasks)}; choose another method.",
            )
        self.task = task

    @abstractmethod
    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Return the ensemble's scores, shape ``(batch, outputs)``.

        Args:
            scores: Of the members, shape ``(members, batch, outputs)``; left unchanged.
            embedding: Where the rows lie, ``(batch, dims)``, for rules that read it.
        """

    @property
    @abstractmethod
    def shares(self) -> tuple[float, ...]:
        """How much each member counts, of sum 1."""

    @abstractmethod
    def keep(self, members: Sequence[int]) -> "Rule":
        """Return the rule of some members alone, by their positions.

        Raises:
            EnsembleError: The rule was fitted for all its members together.
        """


class _Vote(Rule):
    """A vote with fixed shares, which are stored as numbers in JSON."""

    log_weights: Tensor

    def __init__(self, weights: ArrayLike, *, task: TaskName = "classification") -> None:
        super().__init__(task=task)
        self._weights = checked_shares(weights)
        # Derived from the shares, which are stored as JSON: a state_dict holds members alone.
        self.register_buffer(
            "log_weights", torch.tensor(self._weights).log()[:, None, None], persistent=False
        )

    @property
    def shares(self) -> tuple[float, ...]:
        """The members' shares of the vote."""
        return self._weights

    def options(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"weights": list(self._weights), "task": self.task}

    def tensors(self) -> dict[str, Tensor]:
        """Return nothing: the shares say it all."""
        return {}

    def keep(self, members: Sequence[int]) -> Rule:
        """Return a vote of some members, their shares divided by their sum."""
        return type(self)([self._weights[member] for member in members], task=self.task)

    def _shares_for(self, scores: Tensor) -> Tensor:
        # From the exact numbers where there is room for them: a mean of large values with
        # small differences keeps those.
        if scores.dtype == torch.float64 and not torch.compiler.is_compiling():
            return scores.new_tensor(self._weights)[:, None, None]
        return self.log_weights.to(scores.dtype).exp()


class SoftRule(_Vote):
    """The weighted mean of probabilities; for a regression of values.

    Nothing underflows: the mean is taken by ``logsumexp`` over scores and log-weights.
    """

    name: ClassVar[str] = "soft"

    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:  # noqa: ARG002 - votes look at scores alone
        """Return the ensemble's scores; see :meth:`Rule.forward`."""
        return pooled(scores, self.log_weights, shares=self._shares_for(scores), task=self.task)


class GeometricRule(_Vote):
    """The weighted geometric mean of probabilities, divided by its sum over the classes.

    A class that one member finds impossible has no chance: it is the mean of logits.
    """

    name: ClassVar[str] = "geometric"
    tasks: ClassVar[tuple[TaskName, ...]] = ("classification", "multilabel")

    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:  # noqa: ARG002 - votes look at scores alone
        """Return the ensemble's scores; see :meth:`Rule.forward`."""
        mean = (scores * self._shares_for(scores)).sum(dim=0)
        return F.log_softmax(mean, dim=-1) if self.task == "classification" else mean


class HardRule(_Vote):
    """The share of members that name a class; of labels, that find it likelier than not.

    Among classes with equal shares the lowest wins, as in scikit-learn.
    """

    name: ClassVar[str] = "hard"
    tasks: ClassVar[tuple[TaskName, ...]] = ("classification", "multilabel")

    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:  # noqa: ARG002 - votes look at scores alone
        """Return the ensemble's scores; see :meth:`Rule.forward`."""
        weights = self._shares_for(scores)
        if self.task == "multilabel":
            share = ((scores > 0).to(scores.dtype) * weights).sum(dim=0)
            return torch.logit(share.clamp(_LABEL_EDGE, 1 - _LABEL_EDGE))
        named = F.one_hot(scores.argmax(dim=-1), scores.shape[-1]).to(scores.dtype)
        return (named * weights).sum(dim=0).clamp_min(SMALLEST).log()


class MedianRule(_Vote):
    """The median of values, column by column; the mean of the middle two of an even number."""

    name: ClassVar[str] = "median"
    tasks: ClassVar[tuple[TaskName, ...]] = ("regression",)

    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:  # noqa: ARG002 - votes look at scores alone
        """Return the ensemble's values; see :meth:`Rule.forward`."""
        ordered = scores.sort(dim=0).values
        members = scores.shape[0]
        return (ordered[(members - 1) // 2] + ordered[members // 2]) / 2


def pooled(scores: Tensor, log_weights: Tensor, *, shares: Tensor, task: TaskName) -> Tensor:
    """Return the scores of a weighted mean of probabilities, or the weighted mean of values.

    Args:
        scores: Of the members, shape ``(members, batch, outputs)``.
        log_weights: Logarithms of their shares, shape ``(members, batch or 1, 1)``.
        shares: The shares themselves, same shape.
        task: The task.
    """
    if task == "regression":
        return (scores * shares).sum(dim=0)
    weights = log_weights.to(scores.dtype)
    if task == "classification":
        return torch.logsumexp(scores + weights, dim=0)
    there = torch.logsumexp(F.logsigmoid(scores) + weights, dim=0)
    absent = torch.logsumexp(F.logsigmoid(-scores) + weights, dim=0)
    return there - absent


def checked_shares(weights: ArrayLike) -> tuple[float, ...]:
    """Return positive weights divided by their sum.

    Raises:
        EnsembleError: There is none, or one is not a positive number.
    """
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim != 1 or not array.size or not (np.isfinite(array) & (array > 0)).all():
        raise EnsembleError(
            f"the weights {array.tolist()} are not positive numbers, one a member.",
            where="a vote",
            fix="pass the members whose weight is above zero, and their weights.",
        )
    total = float(array.sum())
    # Shares that were stored come back bit for bit, not divided by 0.9999999999999999.
    return tuple((array if abs(total - 1.0) <= 1e-12 else array / total).tolist())
