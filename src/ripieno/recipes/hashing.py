"""The hash of :mod:`ripieno.recipes.draws` on the host: the same bits, several times as fast.

Unsigned 32-bit arithmetic wraps around in NumPy by definition, so the numbers need neither
64-bit integers nor masks. It serves tensors whose values can be read: not those that are
traced, wrapped by a transformation, or on an accelerator.
"""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["hashed", "is_readable", "on_host", "witnessed"]

Witness = Callable[[Callable[..., Tensor], tuple[Any, ...], Tensor], None]
"""Told of a function, what it was called with, and what it returned."""

_witness: ContextVar[Witness | None] = ContextVar("witness", default=None)

_GOLDEN32 = 0x9E3779B9
_MASK32 = 0xFFFFFFFF


def is_readable(*tensors: object) -> bool:
    """Say whether the values of all tensors among these lie on the host, here and now."""
    # Not imported for this alone: the module takes seconds. Where it was not loaded yet,
    # nothing is being traced.
    tracer = sys.modules.get("torch.fx.experimental.proxy_tensor")
    if tracer is not None and tracer.get_proxy_mode() is not None:
        return False
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # noqa: SLF001 - no public name
    return all(
        type(t) is Tensor and t.device.type == "cpu" and not wrapped(t)
        for t in tensors
        if isinstance(t, Tensor)
    )


@contextmanager
def witnessed(witness: Witness) -> Iterator[None]:
    """Tell of every call that goes through :func:`on_host`, which torch does not see."""
    token = _witness.set(witness)
    try:
        yield
    finally:
        _witness.reset(token)


def on_host(function: Callable[..., Tensor], *args: Any) -> Tensor:
    """Call a function that reads its tensors' numbers on the host."""
    out = function(*args)
    witness = _witness.get()
    if witness is not None:
        witness(function, args, out)
    return out


def hashed(key: Tensor, shape: tuple[int, ...], layer: int | Tensor) -> NDArray[np.uint32]:
    """Return 32 random bits for every position of ``shape``; see :func:`draws.bits`.

    Args:
        key: int64, readable, shape ``()`` or ``(members,)``.
        shape: Shape of what one row draws.
        layer: Number of the draw within the step, or one a row.

    Returns:
        Shape ``(*key.shape, *shape)``.
    """
    numbers = key.numpy().view(np.uint64).reshape(-1)
    layers = np.asarray(layer.numpy() if isinstance(layer, Tensor) else layer, dtype=np.uint64)
    low = ((numbers ^ (layers * np.uint64(_GOLDEN32))) & np.uint64(_MASK32)).astype(np.uint32)
    high = (numbers >> np.uint64(32)).astype(np.uint32)
    value = np.arange(math.prod(shape), dtype=np.uint32) ^ low[:, None]
    spare = np.empty_like(value)
    _mix32(value, spare)
    value ^= high[:, None]
    _mix32(value, spare)
    return value.reshape(*key.shape, *shape)


def _mix32(value: NDArray[np.uint32], spare: NDArray[np.uint32]) -> None:
    """Mix in place; as ``draws._mix32``."""
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97), (15, None)):
        np.right_shift(value, shift, out=spare)
        np.bitwise_xor(value, spare, out=value)
        if factor is not None:
            np.multiply(value, np.uint32(factor), out=value)
