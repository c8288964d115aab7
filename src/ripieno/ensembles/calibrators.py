"""Probabilities made to mean what they say: fitted on rows that nothing else was fitted on.

An ensemble is pooled first and calibrated then, never member by member: the mean of calibrated
members is under-confident. A calibrator maps the ensemble's scores (log-probabilities of
classes, log-odds of labels) to scores of the same shape.

Source: Guo, Pleiss, Sun, Weinberger, On calibration of modern neural networks, ICML 2017
(temperature and vector scaling); Zadrozny and Elkan, Transforming classifier scores into
accurate multiclass probability estimates, KDD 2002 (isotonic, one class against the rest);
Rahaman and Thiery, Uncertainty quantification and deep ensembles, NeurIPS 2021 (pool first).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, isotonic_regression, minimize
from torch import Tensor

from ripieno.ensembles.checks import checked_columns
from ripieno.ensembles.fitted import Fitted, answers_of, scores_of
from ripieno.ensembles.metrics import SMALLEST, checked
from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = ["CALIBRATORS", "CalibrationName", "Isotonic", "Temperature", "Vector", "calibrate",
           "calibrated"]  # fmt: skip

CalibrationName = Literal["temperature", "vector", "isotonic"]
# Temperatures beyond e^-4 and e^4 are of models that no scaling mends.
_WIDEST = 4.0


class Temperature(Fitted):
    """Divide all scores by one number, so that the likeliest class stays the likeliest.

    Args:
        temperature: Above 1 makes answers less sure, below 1 surer.
        task: ``classification`` or ``multilabel``.
    """

    name: ClassVar[str] = "temperature"

    def __init__(self, temperature: float, *, task: TaskName = "classification") -> None:
        super().__init__()
        self.temperature, self.task = temperature, task

    def forward(self, scores: Tensor) -> Tensor:
        """Return calibrated scores, shape ``(batch, outputs)``."""
        return _normalised(scores / self.temperature, self.task)

    def options(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"temperature": self.temperature, "task": self.task}

    @classmethod
    def fit(cls, scores: Tensor, targets: NDArray[np.int64], task: TaskName) -> "Temperature":
        """Find the temperature of the lowest log loss: where the slope in ``1/T`` is zero."""
        truth = torch.tensor(targets)

        def slope(log_beta: float) -> float:
            # The loss is convex in beta = 1/T; its slope is E[z] - z(y), a row's expectation.
            scaled = scores * float(np.exp(log_beta))
            if task == "multilabel":
                return float(((torch.sigmoid(scaled) - truth) * scores).mean())
            expected = (F.softmax(scaled, dim=1) * scores).sum(dim=1)
            return float((expected - scores.gather(1, truth[:, None])[:, 0]).mean())

        low, high = slope(-_WIDEST), slope(_WIDEST)
        if low >= 0 or high <= 0:
            log_beta = -_WIDEST if low >= 0 else _WIDEST
        else:
            log_beta = brentq(slope, -_WIDEST, _WIDEST, xtol=1e-10)
        return cls(float(np.exp(-log_beta)), task=task)


class Vector(Fitted):
    """Scale and shift the score of each class by itself.

    Args:
        scale: Factor of each class, shape ``(classes,)``.
        shift: Added to each class, shape ``(classes,)``.
        task: ``classification`` or ``multilabel``.
    """

    name: ClassVar[str] = "vector"
    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor, *, task: TaskName = "classification") -> None:
        super().__init__()
        self.task = task
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, scores: Tensor) -> Tensor:
        """Return calibrated scores, shape ``(batch, outputs)``."""
        scale, shift = self.scale.to(scores.dtype), self.shift.to(scores.dtype)
        return _normalised(scores * scale + shift, self.task)

    def options(self) -> dict[str, Any]:
        """Return the arguments of the constructor that are no tensors."""
        return {"task": self.task}

    @classmethod
    def fit(
        cls, scores: Tensor, targets: NDArray[np.int64], task: TaskName, *, penalty: float = 1.0
    ) -> "Vector":
        """Minimise the sum of the rows' log losses, and ``penalty / 2`` times the change squared.

        The penalty, towards a scale of 1 and a shift of 0, keeps few rows of a good model from
        asking for infinite scales.
        """
        truth, outputs = torch.tensor(targets), scores.shape[1]
        start = np.concatenate([np.ones(outputs), np.zeros(outputs)])

        def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            own = torch.tensor(flat, requires_grad=True)
            scaled = scores * own[:outputs] + own[outputs:]
            if task == "multilabel":
                loss = F.binary_cross_entropy_with_logits(scaled, truth.double(), reduction="sum")
            else:
                loss = F.cross_entropy(scaled, truth, reduction="sum")
            loss = loss + penalty / 2 * ((own - torch.from_numpy(start)) ** 2).sum()
            (gradient,) = torch.autograd.grad(loss, own)
            return float(loss.detach()), gradient.numpy()

        with torch.enable_grad():
            found = minimize(objective, start, jac=True, method="L-BFGS-B").x
        return cls(torch.tensor(found[:outputs]), torch.tensor(found[outputs:]), task=task)


class Isotonic(Fitted):
    """Map each class's probability by a rising curve, then divide by the row's sum.

    Args:
        knots: Probabilities at which each class's curve is known, rising, shape
            ``(classes, knots)``; a shorter curve repeats its last knot.
        values: The curve at those, shape ``(classes, knots)``; straight lines between.
        task: ``classification`` or ``multilabel``.
    """

    name: ClassVar[str] = "isotonic"
    knots: Tensor
    values: Tensor

    def __init__(self, knots: Tensor, values: Tensor, *, task: TaskName = "classification") -> None:
        super().__init__()
        self.task = task
        self.register_buffer("knots", knots)
        self.register_buffer("values", values)

    def forward(self, scores: Tensor) -> Tensor:
        """Return calibrated scores, shape ``(batch, outputs)``."""
        knots, values = self.knots.to(scores.dtype), self.values.to(scores.dtype)
        p = torch.sigmoid(scores) if self.task == "multilabel" else scores.exp()
        last = knots.shape[1] - 1
        # The number of knots below says between which two a probability lies.
        right = (p.unsqueeze(-1) > knots).sum(dim=-1).clamp(1, last)
        columns = torch.arange(knots.shape[0], device=p.device).expand_as(right)
        x0, x1 = knots[columns, right - 1], knots[columns, right]
        y0, y1 = values[columns, right - 1], values[columns, right]
        width = x1 - x0
        share = torch.where(width > 0, (p - x0) / torch.where(width > 0, width, 1.0), 0.0)
        found = (y0 + share.clamp(0, 1) * (y1 - y0)).clamp_min(SMALLEST)
        if self.task == "multilabel":
            return found.log() - (1 - found).clamp_min(SMALLEST).log()
        return (found / found.sum(dim=1, keepdim=True)).log()

    def options(self) -> dict[str, Any]:
        """Return the arguments of the constructor that are no tensors."""
        return {"task": self.task}

    @classmethod
    def fit(
        cls,
        scores: Tensor,
        targets: NDArray[np.int64],
        task: TaskName,
        *,
        edge: float | None = None,
    ) -> "Isotonic":
        """Fit one curve a class, by pooling adjacent violators.

        Args:
            scores: The ensemble's, float64, shape ``(rows, outputs)``.
            targets: Classes ``(rows,)``, or labels ``(rows, labels)``.
            task: What they are.
            edge: How near a probability may come to 0 and 1: a curve says 0 where it has seen
                no row, and one such row would cost an infinite log loss. ``1 / (rows + 2)``
                where absent.
        """
        p = answers_of(scores, task)
        outputs = p.shape[1]
        truth = targets if task == "multilabel" else np.eye(outputs)[targets]
        edge = 1 / (len(p) + 2) if edge is None else edge
        curves = [_curve(p[:, k], truth[:, k], edge) for k in range(outputs)]
        length = max(2, *(len(x) for x, _ in curves))
        padded = [[np.pad(a, (0, length - len(a)), mode="edge") for a in c] for c in curves]
        both = torch.from_numpy(np.array(padded))
        return cls(both[:, 0].contiguous(), both[:, 1].contiguous(), task=task)


CALIBRATORS: Mapping[CalibrationName, type[Temperature | Vector | Isotonic]] = MappingProxyType(
    {"temperature": Temperature, "vector": Vector, "isotonic": Isotonic}
)
"""Every calibration by name."""


def calibrate(
    probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    method: CalibrationName = "temperature",
    task: TaskName = "classification",
) -> Temperature | Vector | Isotonic:
    """Fit a calibration of pooled probabilities.

    Args:
        probabilities: Of the ensemble, shape ``(rows, classes)`` or ``(rows, labels)``, on rows
            that neither the members nor the selection has seen.
        targets: Classes ``(rows,)`` or labels ``(rows, labels)``.
        method: ``temperature`` (one number, the safest), ``vector`` or ``isotonic`` (needs
            a thousand rows or more).
        task: ``classification`` or ``multilabel``.

    Raises:
        EnsembleError: There is no such method, the shapes do not match, or it is a regression.
    """
    if method not in CALIBRATORS or task == "regression":
        raise EnsembleError(
            f"there is no calibration {method!r} of {task}.",
            where="calibrate",
            fix=f"use one of {', '.join(CALIBRATORS)}; of a regression fit_intervals.",
        )
    p: NDArray[Any]
    if task == "multilabel":
        p, y = checked_columns(probabilities, targets, task=task)
    else:
        p, y = checked(probabilities, targets)
    return CALIBRATORS[method].fit(scores_of(p, task), y, task)


def calibrated(
    calibrator: Temperature | Vector | Isotonic, probabilities: ArrayLike
) -> NDArray[np.float64]:
    """Return calibrated probabilities, float64, of the same shape."""
    with torch.no_grad():
        scores = calibrator(scores_of(np.asarray(probabilities), calibrator.task))
    return answers_of(scores, calibrator.task)


def _normalised(scores: Tensor, task: TaskName) -> Tensor:
    return F.log_softmax(scores, dim=-1) if task == "classification" else scores


def _curve(
    p: NDArray[np.float64], truth: NDArray[np.generic], edge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the knots of a rising curve and its values there."""
    knots, places, counts = np.unique(p, return_inverse=True, return_counts=True)
    means = np.bincount(places, weights=truth.astype(np.float64)) / counts
    fitted: NDArray[np.float64] = isotonic_regression(means, weights=counts).x
    # Inside a flat stretch a knot says nothing.
    kept = np.ones(len(knots), dtype=bool)
    kept[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    return knots[kept], np.clip(fitted[kept], edge, 1 - edge)
