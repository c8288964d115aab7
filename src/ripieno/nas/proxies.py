"""What an untrained network says about how good it will be once it is trained.

Every proxy takes a module and one batch, and a larger score is better. The module is left as
it was: its parameters, its running statistics, its gradients. None of them is much better than
the number of parameters, which therefore stands among them: one that does not beat it on a
space is of no use there.

Source: Tanaka et al., "Pruning neural networks without any data by iteratively conserving
synaptic flow", NeurIPS 2020 (``synflow``); Mellor et al., "Neural architecture search without
training", ICML 2021 (``naswot``, and ``jacov`` in its first version); Lee, Ajanthan and Torr,
"SNIP", ICLR 2019 (``snip``); Abdelfattah et al., "Zero-cost proxies for lightweight NAS", ICLR
2021, which made scores of whole networks of them.
"""

import copy
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ripieno.errors import SearchError

__all__ = ["PROXIES", "jacov", "naswot", "parameter_count", "score", "snip", "synflow"]

_SHIFT = 1e-5  # of eigenvalues, so that none is zero
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def parameter_count(module: nn.Module, x: Tensor, y: Tensor) -> float:  # noqa: ARG001 - as the others
    """Return the number of parameters: the baseline."""
    return float(sum(parameter.numel() for parameter in module.parameters()))


def synflow(module: nn.Module, x: Tensor, y: Tensor) -> float:  # noqa: ARG001 - it needs no data
    """Return the logarithm of the synaptic flow.

    With all weights made positive, ones as the input and without batch norms, it is the sum of
    ``w * dR/dw`` over all weights, where ``R`` is the sum of the outputs. It is worked out in
    float64: in deep networks it reaches 1e60.

    Args:
        module: The network.
        x: Its shape and device are read.
        y: Not read.
    """
    twin = _without_norms(copy.deepcopy(module).double().eval())
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.abs_()
    ones = torch.ones_like(x[:1], dtype=torch.float64)
    flow = _saliency(twin, twin(ones).sum())
    return math.log(flow) if flow > 0.0 else -math.inf


def naswot(module: nn.Module, x: Tensor, y: Tensor) -> float:  # noqa: ARG001 - as the others
    """Return how differently a batch switches the ReLUs: log-determinant of a kernel.

    With ``c_i`` as the zeros and ones of example ``i`` over all units, the kernel is
    ``K_ij = c_i . c_j + (1 - c_i) . (1 - c_j)``: how many units two examples agree on.

    Args:
        module: The network; its ``nn.ReLU`` modules are watched.
        x: Some different examples.
        y: Not read.
    """
    twin = copy.deepcopy(module).train()
    kernel = torch.zeros(len(x), len(x), dtype=torch.float64, device=x.device)

    def watch(_: nn.Module, __: object, out: Tensor) -> None:
        code = (out.detach() > 0).flatten(1).double()
        kernel.add_(code @ code.T + (1 - code) @ (1 - code).T)

    for part in twin.modules():
        if isinstance(part, nn.ReLU):
            part.register_forward_hook(watch)
    with torch.no_grad():
        twin(x)
    return float(torch.linalg.slogdet(kernel).logabsdet)


def jacov(module: nn.Module, x: Tensor, y: Tensor) -> float:  # noqa: ARG001 - as the others
    """Return how little the Jacobians of different examples go together.

    With ``v`` as the eigenvalues of the correlations between the examples' gradients of the
    summed outputs by the input, it is ``-sum(log(v + k) + 1 / (v + k))``, ``k = 1e-5``.

    Args:
        module: The network.
        x: Some different examples.
        y: Not read.

    Returns:
        The score; minus infinity where an example has a constant gradient.
    """
    twin = copy.deepcopy(module).train()
    image = x.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(twin(image).sum(), image)
    correlations = torch.corrcoef(slope.flatten(1).double())
    if not bool(torch.isfinite(correlations).all()):
        return -math.inf
    shifted = torch.linalg.eigvalsh(correlations).clamp_min(0.0) + _SHIFT
    return -float((shifted.log() + 1 / shifted).sum())


def snip(module: nn.Module, x: Tensor, y: Tensor) -> float:
    """Return the sum of ``|w * dL/dw|`` over all weights, with the cross-entropy as ``L``.

    Args:
        module: The network.
        x: Examples.
        y: Their classes, int64.
    """
    twin = copy.deepcopy(module).train()
    return _saliency(twin, F.cross_entropy(twin(x), y))


PROXIES: Mapping[str, Callable[[nn.Module, Tensor, Tensor], float]] = MappingProxyType(
    {
        "parameters": parameter_count,
        "synflow": synflow,
        "naswot": naswot,
        "jacov": jacov,
        "snip": snip,
    }
)
"""Proxies by name."""


def score(name: str, module: nn.Module, batch: tuple[Tensor, Tensor]) -> float:
    """Return what a proxy says of an untrained network; more is better.

    Args:
        name: One of :data:`PROXIES`.
        module: The network; left as it was.
        batch: Examples and their classes; a few dozen do.

    Raises:
        SearchError: There is no such proxy.
    """
    if name not in PROXIES:
        raise SearchError(
            f"there is no proxy {name!r}.",
            where=f"proxies: {', '.join(PROXIES)}",
            fix="name one of these.",
        )
    return PROXIES[name](module, *batch)


def _saliency(module: nn.Module, value: Tensor) -> float:
    """Return the sum of ``|w * dvalue/dw|`` over all weights."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    slopes = torch.autograd.grad(value, parameters, materialize_grads=True)
    pairs = zip(parameters, slopes, strict=True)
    return sum(float((p.detach() * slope).abs().sum()) for p, slope in pairs)


def _without_norms(module: nn.Module) -> nn.Module:
    for name, part in module.named_children():
        if isinstance(part, _NORMS):
            setattr(module, name, nn.Identity())
        else:
            _without_norms(part)
    return module
