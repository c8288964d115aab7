"""What a runner does around training: read a state, store what is left, say what failed."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ripieno.errors import ArtifactError, RipienoError
from ripieno.recipes.data import Data
from ripieno.recipes.devices import Device
from ripieno.recipes.memory import is_out_of_memory
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.state import State
from ripieno.records import ArtifactStore, Metrics, Order

__all__ = [
    "DivergedError", "Finished", "StopAskedError", "alone", "explain", "keep", "take_up",
]  # fmt: skip


class StopAskedError(Exception):
    """The study is being stopped."""


class DivergedError(Exception):
    """A number is no longer finite."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What the end of an epoch leaves.

    Args:
        metrics: The epoch's row.
        state: The model's and its optimizer's.
        predictions: On the validation part: probabilities or values, ``(rows, outputs)``.
    """

    metrics: Metrics
    state: State
    predictions: NDArray[np.floating[Any]]


def keep(
    order: Order, finished: Finished, artifacts: ArtifactStore, *, recipe: Recipe, data: Data
) -> tuple[str, str]:
    """Store a state and its validation predictions; return their keys.

    Raises:
        ArtifactError: They cannot be written.
    """
    epoch = finished.state.epoch
    name = f"trial-{order.trial}-epoch-{epoch}"
    facts = {"trial": order.trial, "epoch": epoch}
    state = artifacts.write(
        f"{name}-state",
        finished.state.to_arrays(),
        {**facts, "config": dict(order.config), "recipe": recipe.name},
    )
    predictions = artifacts.write(
        f"{name}-predictions",
        {data.coding.stored: finished.predictions},
        {**facts, "fingerprint": data.fingerprint},
    )
    return state, predictions


def take_up(order: Order, artifacts: ArtifactStore) -> State | None:
    """Return the state that an order goes on from, or None if it starts anew.

    Raises:
        ArtifactError: The state is missing or damaged.
    """
    if order.state is not None:
        arrays, facts = artifacts.read(order.state)
        state = State.from_arrays(arrays, epoch=order.start)
        if state.watch is not None and facts.get("trial") != order.trial:
            return replace(state, watch=state.watch.forked())
        return state
    if order.start == 0:
        return None
    raise ArtifactError(
        f"trial {order.trial} cannot go on from epoch {order.start}: no state was stored.",
        where=f"the order for epochs {order.start} to {order.stop}",
        fix="start the trial from epoch 0, or pass the key of its stored state.",
    )


@contextmanager
def alone(device: Device | None = None) -> Iterator[None]:
    """Run with one intra-op thread, and leave torch's own generators as they were found.

    Args:
        device: What else computes, besides the CPU.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            torch.random.fork_rng(devices=[]),
            nullcontext() if device is None else device.in_charge(),
        ):
            yield
    finally:
        torch.set_num_threads(threads)


def explain(error: Exception) -> str:
    """Return the error in words; a foreign one with its notes and the user's last frames."""
    if isinstance(error, RipienoError):
        return f"{type(error).__name__}: {error}"
    if is_out_of_memory(error):
        said = " ".join([line.strip() for line in str(error).splitlines() if line.strip()][:1])
        return (
            f"out of memory: {said or type(error).__name__}.\n"
            "  In:  training this one model by itself\n"
            "  Fix: choose smaller models or batches, or run with fewer workers."
        )
    ours = (Path(torch.__file__).parent, Path(__file__).parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(Path(frame.filename).is_relative_to(folder) for folder in ours)
    ]
    lines = [*traceback.format_exception_only(error), *traceback.format_list(frames[-3:])]
    return "".join(lines).strip()
