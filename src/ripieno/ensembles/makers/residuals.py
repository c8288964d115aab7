"""What is left to learn after a sum of outputs: gradients, curvatures, the best constant.

Sources: Friedman, "Greedy function approximation: a gradient boosting machine", 2001.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ripieno.recipes import TaskName

__all__ = ["best_constant", "gradients", "loss_of"]

_LEAST_CURVATURE = 1e-2
"""Where a row is decided its curvature vanishes, and its Newton step with it."""


def best_constant(y: Tensor, *, task: TaskName, outputs: int) -> Tensor:
    """Return the outputs, one for all rows, whose loss is lowest, float64, ``(outputs,)``.

    Args:
        y: Encoded targets of the training rows.
        task: The task.
        outputs: How many there are.
    """
    if task == "regression":
        return y.double().mean(0)
    if task == "multilabel":
        share = (y.double().sum(0) + 0.5) / (len(y) + 1.0)
        return torch.logit(share)
    counts = torch.bincount(y, minlength=outputs).double() + 0.5
    return torch.log(counts / counts.sum())


def gradients(total: Tensor, y: Tensor, *, task: TaskName) -> tuple[Tensor, Tensor]:
    """Return gradient and curvature of each row's loss in its outputs, of their shape.

    The loss is the cross entropy, the binary cross entropy or half the squared error.

    Args:
        total: The outputs so far, ``(..., rows, outputs)``.
        y: Encoded targets, ``(..., rows)`` or ``(..., rows, outputs)``.
        task: The task.
    """
    if task == "regression":
        return total - y, torch.ones_like(total)
    if task == "multilabel":
        p, wanted = torch.sigmoid(total), y.to(total.dtype)
    else:
        p, wanted = torch.softmax(total, -1), F.one_hot(y, total.shape[-1]).to(total.dtype)
    return p - wanted, (p * (1 - p)).clamp_min(_LEAST_CURVATURE)


def loss_of(total: Tensor, y: Tensor, *, task: TaskName) -> Tensor:
    """Return the mean loss of outputs ``(rows, outputs)``, a scalar; see :func:`gradients`."""
    if task == "regression":
        return 0.5 * F.mse_loss(total, y.to(total.dtype))
    if task == "multilabel":
        return F.binary_cross_entropy_with_logits(total, y.to(total.dtype))
    return F.cross_entropy(total, y)
