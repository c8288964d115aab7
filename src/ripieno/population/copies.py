"""Copies of a stack's arrays, for trying and timing steps."""

import copy
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from ripieno.population.graphs import Function
from ripieno.population.step import Batch

__all__ = ["Kind", "arrays_apart", "copied", "kind_of", "timed"]

Kind = tuple[object, ...]
"""What tells the stacks and batches of one engine apart that each need their own recording."""


def kind_of(arrays: Mapping[str, Tensor], batch: Batch) -> Kind:
    """Return what is equal for steps of one engine that one recording serves."""
    x, y = batch["x"], batch["y"]
    members, flat = len(batch["active"]), "flat/model" in arrays
    return members, flat, x.shape, x.stride(), y.shape, y.stride(), y.dtype


def copied(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy the arrays; those that share their memory go on to share it."""
    return copy.deepcopy(dict(arrays))


def arrays_apart(arrays: Mapping[str, Tensor], *, device: str | None = None) -> dict[str, Tensor]:
    """Copy the arrays as a compiler is to see them: none is a view of another.

    Args:
        arrays: The arrays of a stack.
        device: ``"meta"`` for shapes without numbers; None for where they are.
    """
    return {
        name: torch.empty(array.shape, dtype=array.dtype, device=device)
        if device is not None
        else array.clone(memory_format=torch.contiguous_format)
        for name, array in arrays.items()
        if not name.startswith("flat/")
    }


def timed(run: Function, arrays: Mapping[str, Tensor], batch: Batch) -> float:
    """Return the seconds of one call."""
    begin = time.perf_counter()
    run(arrays, batch)
    return time.perf_counter() - begin
