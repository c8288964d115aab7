"""Batch norm over a batch whose rows lie in several processes.

``torch.nn.SyncBatchNorm`` does this on GPUs alone. Here ``F.batch_norm`` itself is replaced
while a mode is active, on any device: the module, its state and its running statistics stay
those of one process.

Source: Ioffe and Szegedy, "Batch normalization", ICML 2015, Algorithm 1.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.overrides import TorchFunctionMode

__all__ = ["BatchNormMode"]


class BatchNormMode(TorchFunctionMode):
    """While it is active, batch norms in training take the statistics of all ranks' rows.

    Run the backward pass inside it too: a checkpointed region runs again there.
    """

    def __torch_function__(  # noqa: PLR0917 - torch's protocol
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Replace batch norms in training, and pass every other function on."""
        kwargs = kwargs or {}
        if function is F.batch_norm and _bind(*args, **kwargs)["training"]:
            return _normalize(**_bind(*args, **kwargs))
        return function(*args, **kwargs)


class _Sum(torch.autograd.Function):
    """The sum over all ranks, for each of them; so is its gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:  # noqa: ARG004 - torch's protocol
        total = x.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:  # noqa: ARG004
        total = gradient.clone()
        torch.distributed.all_reduce(total)
        return total


def _over_ranks(x: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(x)  # type: ignore[no-untyped-call]
    return total


def _bind(  # noqa: PLR0917 - torch's own signature
    input: Tensor,  # noqa: A002 - torch's own name
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,  # noqa: FBT001, FBT002 - torch's own signature
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> dict[str, Any]:
    """Name the arguments of ``F.batch_norm``."""
    return {
        "x": input,
        "running": (running_mean, running_var),
        "scale": weight,
        "shift": bias,
        "training": training,
        "momentum": momentum,
        "eps": eps,
    }


def _normalize(
    *,
    x: Tensor,
    running: tuple[Tensor | None, Tensor | None],
    scale: Tensor | None,
    shift: Tensor | None,
    training: bool,  # noqa: ARG001 - it is why we are here
    momentum: float,
    eps: float,
) -> Tensor:
    """Return ``(x - mean) / sqrt(var + eps) * scale + shift`` and update what runs along."""
    axes = [0, *range(2, x.ndim)]
    wide = (1, -1, *[1] * (x.ndim - 2))
    mine = x.new_tensor([x.numel() // x.shape[1]])
    sums = _over_ranks(torch.cat([x.sum(axes), mine]))
    count = sums[-1].detach()
    mean = sums[:-1] / count
    centred = x - mean.view(wide)
    # Not E[x^2] - E[x]^2, which cancels where the mean is large.
    var = _over_ranks(centred.square().sum(axes)) / count
    for kept, new in zip(running, (mean, var * (count / (count - 1))), strict=True):
        if kept is not None:
            kept.mul_(1 - momentum).add_(new.detach(), alpha=momentum)
    out = centred * torch.rsqrt(var + eps).view(wide)
    if scale is not None:
        out = out * scale.view(wide)
    return out if shift is None else out + shift.view(wide)
