"""Losses of labels and of values, the same for one model and for a stack of models.

An option is one number, or one for each row of a stack, shape ``(members,)``; then outputs and
targets have the member axis first. Each function returns the loss and the weight of every
example.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "binary_cross_entropy",
    "focal",
    "huber",
    "l1",
    "mse",
    "quantile",
    "smooth_cross_entropy",
]

Option = float | Tensor


def smooth_cross_entropy(
    logits: Tensor,
    y: Tensor,
    *,
    label_smoothing: Tensor | None = None,
    class_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the weighted cross entropy and the weight of every example, smooth in both options.

    Args:
        logits: Shape ``(..., batch, classes)``.
        y: int64 classes, shape ``(..., batch)``.
        label_smoothing: Share of the target that goes to all classes alike, ``(...)``.
        class_weights: Shape ``(..., classes)``; None weighs all classes alike.

    Returns:
        Losses and weights, both of shape ``(..., batch)``.

    Source: Szegedy et al., "Rethinking the Inception architecture", CVPR 2016 (smoothing).
    """
    # Classes before the batch, which is how a linear leaf leaves its output in memory.
    logs = torch.log_softmax(logits.mT, dim=-2)
    losses = -logs.gather(-2, y.unsqueeze(-2)).squeeze(-2)
    weights = torch.ones_like(losses)
    if class_weights is not None:
        scale = class_weights.to(logits.dtype)
        weights = scale.gather(-1, y)
        losses = losses * weights
        logs = logs * scale.unsqueeze(-1)
    if label_smoothing is not None:
        share = label_smoothing.to(logits.dtype).unsqueeze(-1)
        losses = (1 - share) * losses - share * logs.mean(-2)
    return losses, weights


def focal(
    outputs: Tensor,
    y: Tensor,
    *,
    focal_gamma: Option = 2.0,
    class_weights: Tensor | None = None,
    pos_weight: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return cross entropies scaled by ``(1 - p)**gamma``, ``p`` the probability of the truth.

    What is right already counts less, so that a step follows the hard examples.

    Args:
        outputs: Logits, shape ``(..., batch, classes)`` or ``(..., batch, labels)``.
        y: int64 classes ``(..., batch)``, or labels 0 and 1 ``(..., batch, labels)`` of the
            dtype of the outputs, each of which is a question of its own.
        focal_gamma: The exponent, at least 0; 0 gives the cross entropy itself.
        class_weights: Shape ``(..., classes)``, for classes.
        pos_weight: Shape ``(..., labels)``, for labels.

    Returns:
        Weighted losses and weights, shape ``(..., batch)``.

    Source: Lin et al., "Focal loss for dense object detection", ICCV 2017, Eq. (4) and (5).
    """
    if y.is_floating_point():
        losses = _binary(outputs, y, pos_weight)
        # ln p of what is true of each label: that it is there, or that it is not.
        truth = F.logsigmoid(torch.where(y > 0.5, outputs, -outputs))
        mean = (_hardness(truth, focal_gamma) * losses).mean(-1)
        return mean, torch.ones_like(mean)
    truth = torch.log_softmax(outputs, dim=-1).gather(-1, y.unsqueeze(-1)).squeeze(-1)
    losses = -_hardness(truth, focal_gamma) * truth
    if class_weights is None:
        return losses, torch.ones_like(losses)
    weights = class_weights.to(outputs.dtype).gather(-1, y)
    return losses * weights, weights


def _hardness(truth: Tensor, gamma: Option) -> Tensor:
    # The smallest positive number in place of 0: its power has a gradient below gamma = 1.
    rest = -torch.expm1(truth)
    return rest.clamp_min(torch.finfo(rest.dtype).tiny) ** _beside(gamma, rest)


def binary_cross_entropy(
    outputs: Tensor, y: Tensor, *, pos_weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the mean over the labels of each one's cross entropy.

    Args:
        outputs: Log-odds, shape ``(..., batch, labels)``.
        y: 0 and 1 of the same shape and dtype.
        pos_weight: Factor of what a label costs where it is there, shape ``(..., labels)``.

    Returns:
        Losses and weights, shape ``(..., batch)``.
    """
    losses = _binary(outputs, y, pos_weight).mean(-1)
    return losses, torch.ones_like(losses)


def _binary(outputs: Tensor, y: Tensor, pos_weight: Tensor | None) -> Tensor:
    present = -F.logsigmoid(outputs)
    if pos_weight is not None:
        present = present * pos_weight.to(outputs.dtype).unsqueeze(-2)
    return y * present - (1 - y) * F.logsigmoid(-outputs)


def mse(outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared error, the mean over the columns.

    Args:
        outputs: Shape ``(..., batch, columns)``.
        y: Targets of the same shape and dtype, standardised where the data say so.

    Returns:
        Losses and weights, shape ``(..., batch)``.
    """
    return _plain((outputs - y) ** 2)


def l1(outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the absolute error, the mean over the columns; shapes as in :func:`mse`."""
    return _plain((outputs - y).abs())


def huber(outputs: Tensor, y: Tensor, *, huber_delta: Option = 1.0) -> tuple[Tensor, Tensor]:
    """Return half the squared error, linear beyond ``delta``; shapes as in :func:`mse`.

    Args:
        outputs: Predicted values.
        y: Targets.
        huber_delta: Where the parabola becomes a line, in the unit that is trained in.

    Source: Huber, "Robust estimation of a location parameter", 1964.
    """
    error = (outputs - y).abs()
    delta = _beside(huber_delta, error)
    return _plain(torch.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta)))


def quantile(outputs: Tensor, y: Tensor, *, quantile_level: Option = 0.5) -> tuple[Tensor, Tensor]:
    """Return the pinball loss, which the quantile of this level minimizes; see :func:`mse`.

    Args:
        outputs: Predicted quantiles.
        y: Targets.
        quantile_level: Share of the targets that are to lie below, between 0 and 1.

    Source: Koenker and Bassett, "Regression quantiles", Econometrica 1978.
    """
    error = y - outputs
    level = _beside(quantile_level, error)
    return _plain(torch.where(error >= 0, level * error, (level - 1) * error))


def _plain(errors: Tensor) -> tuple[Tensor, Tensor]:
    losses = errors.mean(-1)
    return losses, torch.ones_like(losses)


def _beside(option: Option, like: Tensor) -> Option:
    """Return an option that broadcasts against examples: one of each row gets more axes."""
    if not isinstance(option, Tensor):
        return option
    return option.to(like.dtype).view(*option.shape, *[1] * (like.ndim - option.ndim))
