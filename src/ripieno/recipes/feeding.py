"""Features on their way into a model: rows of a tensor, or of a stream."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.recipes.streams import Stream

__all__ = ["Features", "as_features", "as_tensor", "feed", "first_rows", "pieces"]

Features = Tensor | Stream
"""What a model reads: all rows at hand, or rows that are read when their turn comes."""


def as_tensor(array: NDArray[np.generic]) -> Tensor:
    """Return the array as a tensor that shares its memory, or a copy of a read-only one."""
    return torch.from_numpy(np.require(array, requirements=["W"]))


def as_features(x: NDArray[np.generic] | Stream, dtype: torch.dtype) -> Features:
    """Return an array as a tensor of a dtype; a stream stays one."""
    return x if isinstance(x, Stream) else as_tensor(x).to(dtype)


def first_rows(x: Features, count: int, dtype: torch.dtype) -> Tensor:
    """Return the first rows."""
    return (as_tensor(x[:count]) if isinstance(x, Stream) else x[:count]).to(dtype)


def feed(
    x: Features, chunks: Sequence[Tensor], *, dtype: torch.dtype, key: int
) -> Iterator[Tensor]:
    """Return batches one after the other; a stream reads ahead as its loader is told to.

    Args:
        x: All rows.
        chunks: Rows of each batch, int64.
        dtype: Of the batches.
        key: What random transforms of a stream depend on.
    """
    if isinstance(x, Stream):
        for batch in x.batches(chunks, key=key):
            yield as_tensor(batch).to(dtype)
    else:
        for rows in chunks:
            yield x[rows]


def pieces(x: Features, size: int) -> Iterator[Tensor]:
    """Return all rows in order, ``size`` at a time."""
    if isinstance(x, Stream):
        yield from feed(x, torch.split(torch.arange(len(x)), size), dtype=torch.float32, key=0)
    else:
        yield from torch.split(x, size)
