"""Losses, one number an example, and how they become the loss of a batch.

Nothing here adds up over a batch until :func:`reduce`, so that a stack of models can apply
the same functions row by row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ripieno.errors import RecipeError
from ripieno.recipes.loss_functions import (
    binary_cross_entropy,
    focal,
    huber,
    l1,
    mse,
    quantile,
    smooth_cross_entropy,
)
from ripieno.recipes.tasks import TaskName

__all__ = [
    "LOSSES",
    "LOSS_OPTIONS",
    "TRAINING_OPTIONS",
    "Loss",
    "LossFunction",
    "balanced_weights",
    "cross_entropy",
    "find_loss",
    "loss_name",
    "reduce",
]

LossFunction = Callable[..., Any]
"""A user's own loss: ``loss(outputs, targets)`` returns one number an example, or a scalar."""


def cross_entropy(
    logits: Tensor,
    y: Tensor,
    *,
    label_smoothing: float | Tensor = 0.0,
    class_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the loss and the weight of every example.

    Args:
        logits: Shape ``(batch, classes)``.
        y: int64 classes, shape ``(batch,)``.
        label_smoothing: Share of the target that goes to all classes alike; as a tensor of no
            axes the loss is smooth in it, and in the weights.
        class_weights: Shape ``(classes,)``; None weighs all classes alike.

    Returns:
        Weighted losses and weights, both of shape ``(batch,)`` and the dtype of the logits.

    Source: Szegedy et al., "Rethinking the Inception architecture", CVPR 2016 (smoothing).
    """
    if isinstance(label_smoothing, Tensor):
        return smooth_cross_entropy(
            logits, y, label_smoothing=label_smoothing, class_weights=class_weights
        )
    losses = F.cross_entropy(
        logits, y, class_weights, reduction="none", label_smoothing=label_smoothing
    )
    weights = torch.ones_like(losses) if class_weights is None else class_weights[y]
    return losses, weights


def reduce(losses: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean over the last axis, ``batch``, as ``reduction="mean"`` does."""
    return losses.sum(-1) / weights.sum(-1)


def balanced_weights(y: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return ``rows / (classes * rows of the class)``, shape ``(classes,)``.

    A class without rows gets weight 0: no example ever asks for it.
    """
    counts = np.bincount(y, minlength=classes)
    weights = len(y) / (classes * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0.0)


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss, and what belongs to it.

    Args:
        function: Maps outputs, targets and options to losses and weights of examples.
        tasks: The tasks that it is for.
        options: The hyperparameters that it reads.
    """

    function: Callable[..., tuple[Tensor, Tensor]]
    tasks: frozenset[TaskName]
    options: tuple[str, ...] = ()

    def __call__(self, outputs: Tensor, y: Tensor, **options: Any) -> tuple[Tensor, Tensor]:
        """Return losses and weights of examples."""
        return self.function(outputs, y, **options)


@dataclass(frozen=True, slots=True)
class _Own:
    """A user's own loss, given the form of the others."""

    function: LossFunction

    def __call__(self, outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses and weights of examples.

        Raises:
            RecipeError: The user's function returns something else.
        """
        losses = self.function(outputs, y)
        if not isinstance(losses, Tensor) or losses.shape[:1] not in {(), outputs.shape[:1]}:
            found = f"shape {tuple(losses.shape)}" if isinstance(losses, Tensor) else repr(losses)
            raise RecipeError(
                f"the loss {loss_name(self.function)!r} returned {found}.",
                where=f"outputs of shape {tuple(outputs.shape)}, targets {tuple(y.shape)}",
                fix="return a tensor: one loss an example, or their mean as a scalar.",
            )
        if losses.ndim == 0:
            losses = losses.expand(len(outputs))
        elif losses.ndim > 1:
            losses = losses.flatten(1).mean(1)
        return losses, torch.ones_like(losses)


def find_loss(loss: str | LossFunction) -> Loss:
    """Return a loss by name, or a user's own function as one.

    Raises:
        RecipeError: There is no such loss.
    """
    if not isinstance(loss, str):
        return Loss(_Own(loss), frozenset({"classification", "multilabel", "regression"}))
    if loss in LOSSES:
        return LOSSES[loss]
    raise RecipeError(
        f"there is no loss {loss!r}.",
        where=f"losses: {', '.join(LOSSES)}",
        fix="name one of these, or pass a function loss(outputs, targets).",
    )


def loss_name(loss: str | LossFunction) -> str:
    """Return what a record calls a loss."""
    return loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)


def _loss(
    function: Callable[..., tuple[Tensor, Tensor]], *tasks: TaskName, options: tuple[str, ...] = ()
) -> Loss:
    return Loss(function, frozenset(tasks), options)


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "cross_entropy": _loss(
            cross_entropy, "classification", options=("label_smoothing", "class_weights")
        ),
        "focal": _loss(
            focal,
            "classification",
            "multilabel",
            options=("focal_gamma", "class_weights", "pos_weight"),
        ),
        "binary_cross_entropy": _loss(binary_cross_entropy, "multilabel", options=("pos_weight",)),
        "mse": _loss(mse, "regression"),
        "l1": _loss(l1, "regression"),
        "huber": _loss(huber, "regression", options=("huber_delta",)),
        "quantile": _loss(quantile, "regression", options=("quantile_level",)),
    }
)
"""Losses by name: functions of outputs and targets to losses and weights of examples."""

LOSS_OPTIONS = frozenset(option for loss in LOSSES.values() for option in loss.options)
"""The hyperparameters that some loss reads."""

TRAINING_OPTIONS = frozenset({"label_smoothing", "class_weights", "pos_weight", "focal_gamma"})
"""Those that are no part of what a model is judged by while its knobs tune themselves."""
