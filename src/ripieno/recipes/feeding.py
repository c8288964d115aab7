"""Features on their way into a model: rows of a tensor, or of a stream."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.recipes.devices import Device
from ripieno.recipes.streams import Stream

__all__ = ["Features", "as_features", "as_tensor", "feed", "first_rows", "pieces", "place_of"]

Features = Tensor | Stream
"""What a model reads: all rows at hand, or rows that are read when their turn comes."""


def as_tensor(array: NDArray[np.generic]) -> Tensor:
    """Return the array as a tensor that shares its memory, or a copy of a read-only one."""
    return torch.from_numpy(np.require(array, requirements=["W"]))


def as_features(
    x: NDArray[np.generic] | Stream, dtype: torch.dtype, device: Device | None = None
) -> Features:
    """Return an array as a tensor of a dtype, on a device that has room; a stream stays one."""
    if isinstance(x, Stream):
        return x
    if device is None:
        return as_tensor(x).to(dtype)
    return device.hold(x, str(dtype), lambda: as_tensor(x).to(dtype))


def first_rows(x: Features, count: int, dtype: torch.dtype) -> Tensor:
    """Return the first rows."""
    return (as_tensor(x[:count]) if isinstance(x, Stream) else x[:count]).to(dtype)


def feed(
    x: Features,
    chunks: Sequence[Tensor],
    *,
    dtype: torch.dtype,
    key: int,
    device: torch.device | None = None,
) -> Iterator[Tensor]:
    """Return batches one after the other; a stream reads ahead as its loader is told to.

    Args:
        x: All rows.
        chunks: Rows of each batch, int64.
        dtype: Of the batches.
        key: What random transforms of a stream depend on.
        device: Where batches are wanted; None where the rows are.
    """
    if isinstance(x, Stream):
        batches = (as_tensor(batch).to(dtype) for batch in x.batches(chunks, key=key))
    else:
        batches = (x[rows] for rows in chunks)
    if device is None or device == place_of(x):
        yield from batches
    else:
        yield from (batch.to(device, non_blocking=True) for batch in batches)


def place_of(x: Features) -> torch.device:
    """Return the device that rows are indexed on."""
    return torch.device("cpu") if isinstance(x, Stream) else x.device


def pieces(x: Features, size: int) -> Iterator[Tensor]:
    """Return all rows in order, ``size`` at a time."""
    if isinstance(x, Stream):
        yield from feed(x, torch.split(torch.arange(len(x)), size), dtype=torch.float32, key=0)
    else:
        yield from torch.split(x, size)
