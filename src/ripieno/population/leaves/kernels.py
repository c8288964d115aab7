"""Which kernel computes a leaf: measured once for each shape, then remembered."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ripieno.recipes import synchronize

__all__ = ["Kernel", "Kernels"]

Kernel = Callable[..., Tensor]

_HOPELESS = 2.0
"""How many times slower than the best a kernel is not measured again."""
_SLOW_SECONDS = 0.1
"""A kernel that takes longer is measured twice only: noise matters less, and time more."""


class Kernels:
    """The choices of one population, made once for each shape and kept.

    The same object gives the same choice for the same shape for ever, so a run that is given
    the recorded ``choices`` of another computes with the same kernels, bit for bit.

    Args:
        choices: Choices that were recorded before: signature to name of the kernel.
        forced: A kernel to take for every leaf of a kind, such as ``{"linear": "loop"}``.
        measure: Whether a shape that was never met is measured; else it gets the first
            candidate. Nothing is measured while a graph is being traced.
        repeats: Timed runs of each candidate; the fastest run counts.
        compiled: Whether a compiler will see the graph, and fuse what is many functions.
    """

    def __init__(
        self,
        choices: Mapping[str, str] | None = None,
        *,
        forced: Mapping[str, str] | None = None,
        measure: bool = True,
        repeats: int = 8,
        compiled: bool = False,
    ) -> None:
        self.choices = dict(choices or {})
        self.forced = dict(forced or {})
        self.measure = measure
        self.repeats = repeats
        self.compiled = compiled

    def choose(
        self, kind: str, candidates: Mapping[str, Kernel], *operands: Tensor | None
    ) -> Kernel:
        """Return the fastest candidate for operands of these shapes.

        Args:
            kind: Name of the leaf and of its options; a part of the signature.
            candidates: Names and kernels, the likely winner first.
            operands: What the kernel is called with; read, never changed.
        """
        leaf = kind.split(maxsplit=1)[0]
        if leaf in self.forced:
            return candidates.get(self.forced[leaf], next(iter(candidates.values())))
        signature = f"{kind} {_shapes(operands)}"
        if signature not in self.choices:
            if not self.measure or len(candidates) == 1 or _is_traced(operands):
                return next(iter(candidates.values()))
            self.choices[signature] = self._fastest(candidates, operands)
        return candidates[self.choices[signature]]

    def _fastest(
        self, candidates: Mapping[str, Kernel], operands: tuple[Tensor | None, ...]
    ) -> str:
        fresh = [None if o is None else _copy(o) for o in operands]
        seconds = dict.fromkeys(candidates, math.inf)
        # In turns, so that what else the machine does hits all alike. The first rounds, in
        # which memory is taken from the system, never win.
        for turn in range(self.repeats):
            for name in seconds:
                seconds[name] = min(seconds[name], _seconds(candidates[name], fresh))
            best = min(seconds.values())
            if turn > 0:
                seconds = {name: s for name, s in seconds.items() if s < _HOPELESS * best}
            if len(seconds) == 1 or (turn > 0 and best > _SLOW_SECONDS):
                break
        first = next(iter(candidates))
        if first in seconds:
            seconds[first] *= 0.9  # another must be clearly faster than the likely winner
        return min(seconds, key=seconds.__getitem__)


def _seconds(kernel: Kernel, operands: Sequence[Tensor | None]) -> float:
    """Time a kernel forward and backward."""
    wanted = [o for o in operands if o is not None and o.requires_grad]
    start = time.perf_counter()
    out = kernel(*operands)
    if wanted and out.requires_grad:
        torch.autograd.grad(out, wanted, torch.ones_like(out))
    synchronize(out.device)
    return time.perf_counter() - start


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _shapes(operands: tuple[Tensor | None, ...]) -> str:
    given = [o for o in operands if o is not None]
    shapes = " ".join("x".join(map(str, o.shape)) for o in given)
    needs = "".join("g" if o.requires_grad else "-" for o in given)
    return f"{shapes} {needs} {given[0].dtype} {given[0].device.type}"


def _is_traced(operands: tuple[Any, ...]) -> bool:
    from torch.fx.experimental.proxy_tensor import get_proxy_mode

    return get_proxy_mode() is not None or any(
        isinstance(o, torch._subclasses.FakeTensor)  # noqa: SLF001 (no public name for it)
        for o in operands
    )
