"""Copies of a stack's arrays, for trying and timing steps."""

import copy
import time
from collections.abc import Mapping

from torch import Tensor

from ripieno.population.graphs import Function
from ripieno.population.step import Batch
from ripieno.recipes import synchronize

__all__ = ["Kind", "copied", "kind_of", "timed"]

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


def timed(run: Function, arrays: Mapping[str, Tensor], batch: Batch) -> float:
    """Return the seconds of one call."""
    begin = time.perf_counter()
    run(arrays, batch)
    synchronize(batch["active"].device)
    return time.perf_counter() - begin
