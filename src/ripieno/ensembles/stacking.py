"""A model on top: weights and biases learnt from the members' out-of-fold answers.

Both kinds shrink towards an equal vote instead of towards nothing, so that few rows give the
plain mean and many rows give what they say.

Source: Wolpert, Stacked generalization, Neural Networks 5, 1992; Ting and Witten, Issues in
stacked generalization, JAIR 10, 1999 (one linear model a class); Breiman, Stacked regressions,
Machine Learning 24, 1996 (non-negative weights).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from torch import Tensor

from ripieno.ensembles.calibrators import Temperature
from ripieno.ensembles.combination import Combination, best_members
from ripieno.ensembles.fitted import scores_of
from ripieno.ensembles.metrics import SMALLEST
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.rules import Rule
from ripieno.ensembles.selection import greedy_selection
from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = ["Blending", "StackedRule", "Stacking"]

_SUREST = 13.8
"""Log-probabilities below -13.8 (one in a million) count as that: one wild row of one member
must not decide a weight."""
_EDGE = 1e-6

Kind = Literal["logistic", "ridge"]
Middle = Literal["greedy", "equal"]


class StackedRule(Rule):
    """A linear model on the members' answers.

    Args:
        weights: ``(members, outputs)``: each output looks at its own in each member; or
            ``(members, outputs, outputs)``: at all of them, the last axis being what it gives.
        bias: Shape ``(outputs,)``.
        kind: ``logistic`` reads scores, ``ridge`` probabilities or values.
        temperature: Divides the logits of a logistic model.
        task: The task.
    """

    name: ClassVar[str] = "stacking"
    weights: Tensor
    bias: Tensor

    def __init__(
        self,
        weights: Tensor,
        bias: Tensor,
        *,
        kind: Kind,
        temperature: float = 1.0,
        task: TaskName = "classification",
    ) -> None:
        super().__init__(task=task)
        self.kind, self.temperature = kind, temperature
        self.register_buffer("weights", weights)
        self.register_buffer("bias", bias)

    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:  # noqa: ARG002 - it looks at scores alone
        """Return the ensemble's scores; see :meth:`Rule.forward`."""
        read = _features(scores, self.kind, self.task)
        found = _linear(read, self.weights.to(read.dtype)) + self.bias.to(read.dtype)
        if self.kind == "logistic":
            found = found / self.temperature
            return F.log_softmax(found, dim=-1) if self.task == "classification" else found
        if self.task == "classification":
            found = found.clamp_min(SMALLEST)
            return (found / found.sum(dim=-1, keepdim=True)).log()
        if self.task == "multilabel":
            return torch.logit(found.clamp(_EDGE, 1 - _EDGE))
        return found

    @property
    def shares(self) -> tuple[float, ...]:
        """The members' parts of all weights, by size."""
        sizes = self.weights.abs().flatten(1).sum(dim=1).double()
        total = sizes.sum()
        equal = torch.full_like(sizes, 1 / len(sizes))
        return tuple((sizes / total if total > 0 else equal).tolist())

    def options(self) -> dict[str, Any]:
        """Return the arguments of the constructor that are no tensors."""
        return {"kind": self.kind, "temperature": self.temperature, "task": self.task}

    def keep(self, members: Sequence[int]) -> Rule:
        """Return the rule without members of no weight; any other loss needs a new fit.

        Raises:
            EnsembleError: A member with a weight would be left out.
        """
        lost = set(range(len(self.weights))) - set(members)
        if any(bool(self.weights[member].any()) for member in lost):
            raise EnsembleError(
                f"{len(lost)} of {len(self.weights)} members of a stack cannot be taken out.",
                where="StackedRule.keep",
                fix="fit the stack again with a smaller `size`.",
            )
        kept = self.weights[list(members)]
        return StackedRule(
            kept, self.bias, kind=self.kind, temperature=self.temperature, task=self.task
        )


@dataclass(frozen=True, slots=True)
class Stacking:
    """Fit a linear model on out-of-fold (or held-out) predictions.

    Args:
        kind: ``logistic`` minimises the log loss on the members' log-probabilities (or
            log-odds); ``ridge`` the squared error on their probabilities or values. A
            regression is always ``ridge``.
        non_negative: One weight of at least 0 for each member (``logistic``) or each member
            and output (``ridge``), which overfits least; else any weights, ``logistic`` with
            one for each pair of classes.
        l2: How strongly weights, and the biases of ``logistic``, are held at where they start
            from, in rows.
        size: The members with the lowest losses of their own that are stacked; None for all.
        towards: Where the weights are held: at those that greedy selection finds on the same
            rows, or at an equal vote. Where nearly every row is answered right there is
            little to learn weights from, and an equal vote is a poor place to stay at.

    Source:
        Wolpert (1992), "Stacked generalization"; Breiman (1996), "Stacked regressions" (weights
        that are not negative); the prior at the greedy weights is ours.
    """

    kind: Kind = "logistic"
    non_negative: bool = True
    l2: float = 100.0
    size: int | None = 25
    towards: Middle = "greedy"

    def __post_init__(self) -> None:
        if self.kind not in {"logistic", "ridge"} or not self.l2 > 0:
            raise EnsembleError(
                f"kind = {self.kind!r} and l2 = {self.l2} describe no stack.",
                where="Stacking",
                fix="use kind='logistic' or 'ridge', and l2 above 0.",
            )
        if self.towards not in get_args(Middle):
            raise EnsembleError(
                f"towards = {self.towards!r} is no place for weights.",
                where="Stacking",
                fix="use towards='greedy' or 'equal'.",
            )

    def fit(self, library: Predictions) -> Combination:
        """Return the members and the rule; see :class:`Combiner`."""
        members = best_members(library, self.size)
        part = library.subset(list(members))
        equal = np.full(part.members, 1 / part.members)
        middle = equal if self.towards == "equal" else greedy_selection(part)
        fit = _fit_logistic
        if self.kind == "ridge" or library.task == "regression":
            fit = _fit_ridge
        rule = fit(part, middle, l2=self.l2, non_negative=self.non_negative)
        return Combination(members, rule).trimmed()


@dataclass(frozen=True, slots=True)
class Blending:
    """Stack on one part of the held-out rows, and calibrate the stack on the other.

    A stack is often surer of itself than it should be. Its temperature is found on rows that
    its weights have not seen.

    Args:
        stacking: How the stack is fitted; ``logistic``.
        share: The share of the rows that the weights are fitted on.
        seed: Of the draw of these rows.
    """

    stacking: Stacking = Stacking()
    share: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1 or self.stacking.kind != "logistic":
            raise EnsembleError(
                f"share = {self.share} of a {self.stacking.kind} stack cannot be blended.",
                where="Blending",
                fix="use a share between 0 and 1 and a logistic stack.",
            )

    def fit(self, library: Predictions) -> Combination:
        """Return the members and the rule; see :class:`Combiner`.

        Raises:
            EnsembleError: It is a regression, or there is one row alone.
        """
        if library.task == "regression" or library.rows < 2:
            raise EnsembleError(
                f"{library.rows} rows of {library.task} cannot be blended.",
                where="Blending.fit",
                fix="blend two or more rows of classes or labels; stack a regression.",
            )
        order = np.random.default_rng(self.seed).permutation(library.rows)
        cut = min(max(1, round(self.share * library.rows)), library.rows - 1)
        found = self.stacking.fit(library.subset(rows=np.sort(order[:cut])))
        rest = library.subset(list(found.members), rows=np.sort(order[cut:]))
        rule = found.rule
        assert isinstance(rule, StackedRule)  # noqa: S101 - what Stacking makes
        with torch.no_grad():
            scores = rule(scores_of(rest.probabilities, rest.task))
        temperature = Temperature.fit(scores, rest.targets, rest.task).temperature
        blended = StackedRule(
            rule.weights, rule.bias, kind="logistic", temperature=temperature, task=rule.task
        )
        return Combination(found.members, blended)


def _features(scores: Tensor, kind: Kind, task: TaskName) -> Tensor:
    if kind == "logistic":
        return scores.clamp(-_SUREST, _SUREST)
    if task == "classification":
        return scores.exp()
    return torch.sigmoid(scores) if task == "multilabel" else scores


def _linear(read: Tensor, weights: Tensor) -> Tensor:
    if weights.ndim == 2:
        return (read * weights.unsqueeze(1)).sum(dim=0)
    return torch.einsum("mbk,mko->bo", read, weights)


def _fit_logistic(
    library: Predictions, held_at: NDArray[np.float64], *, l2: float, non_negative: bool
) -> StackedRule:
    """Minimise the sum of the rows' log losses and ``l2 / 2`` times the distance squared.

    Args:
        library: The members.
        held_at: Where their weights are held, ``(members,)``; the biases are held at 0.
        l2: How strongly.
        non_negative: One weight a member, at least 0.
    """
    task, members, outputs = library.task, library.members, library.classes
    read = _features(scores_of(library.probabilities, task), "logistic", task)
    truth = torch.from_numpy(np.array(library.targets))
    full = task == "classification" and not non_negative
    shape = (members, outputs, outputs) if full else (members, 1 if non_negative else outputs)
    middle = (torch.eye(outputs) if full else torch.ones(1)).expand(shape).double()
    middle = middle * torch.from_numpy(held_at).reshape(-1, *(1,) * (len(shape) - 1))
    count = middle.numel()

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        own = torch.tensor(flat, requires_grad=True)
        weights = own[:count].reshape(shape)
        logits = _linear(read, weights) + own[count:]
        if task == "multilabel":
            loss = F.binary_cross_entropy_with_logits(logits, truth.double(), reduction="sum")
        else:
            loss = F.cross_entropy(logits, truth, reduction="sum")
        loss = loss + l2 / 2 * (((weights - middle) ** 2).sum() + (own[count:] ** 2).sum())
        (gradient,) = torch.autograd.grad(loss, own)
        return float(loss.detach()), gradient.numpy()

    start = np.concatenate([middle.reshape(-1).numpy(), np.zeros(outputs)])
    low = 0.0 if non_negative else -np.inf
    bounds = [(low, np.inf)] * count + [(-np.inf, np.inf)] * outputs
    with torch.enable_grad():
        found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds,
                         options={"maxiter": 500})  # fmt: skip
    weights = torch.tensor(found.x[:count]).reshape(shape)
    if not full:
        weights = weights.expand(members, outputs).contiguous()
    return StackedRule(weights, torch.tensor(found.x[count:]), kind="logistic", task=task)


def _fit_ridge(
    library: Predictions, held_at: NDArray[np.float64], *, l2: float, non_negative: bool
) -> StackedRule:
    """Solve, column by column, ``min |X w + b - y|^2 + l2 |w - m|^2``, ``m`` being ``held_at``."""
    members, outputs = library.members, library.classes
    targets = library.targets
    if library.task == "classification":
        targets = np.eye(outputs)[targets]
    weights, bias = np.empty((members, outputs)), np.empty(outputs)
    for column in range(outputs):
        x = library.probabilities[:, :, column].T.astype(np.float64)
        y = targets[:, column].astype(np.float64)
        # Centred, so that the bias is not held; scaled, so that `l2` counts rows of any unit.
        spread = float(y.std()) or 1.0
        centred, wanted = (x - x.mean(axis=0)) / spread, (y - y.mean()) / spread
        held = np.sqrt(l2) * np.eye(members)
        left = np.concatenate([centred, held])
        right = np.concatenate([wanted, held @ held_at])
        own = nnls(left, right)[0] if non_negative else np.linalg.lstsq(left, right, rcond=None)[0]
        weights[:, column], bias[column] = own, y.mean() - x.mean(axis=0) @ own
    return StackedRule(
        torch.from_numpy(weights), torch.from_numpy(bias), kind="ridge", task=library.task
    )
