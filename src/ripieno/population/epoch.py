"""What is known of an epoch of all rows before it begins: orders, rates, and what is mixed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from ripieno.recipes import (
    Judging,
    Knobs,
    draws,
    learning_rate_factor,
    plan_mixing,
    share_growth,
)

__all__ = [
    "Planned",
    "generator_seeds",
    "growths",
    "learning_rates",
    "orders",
    "planned",
    "step_keys",
]


class Planned(Protocol):
    """What has to be known of a row."""

    @property
    def seed(self) -> int:
        """The replica's seed."""

    @property
    def knobs(self) -> Knobs:
        """The trial's knobs."""

    @property
    def epoch(self) -> int:
        """Epochs that the trial has been trained for."""

    @property
    def judging(self) -> Judging | None:
        """What the trial's epochs count for."""


def learning_rates(rows: Sequence[Planned], steps: int, *, epochs: int) -> Tensor:
    """Return the learning rates of an epoch, float64, ``(members, steps)``.

    Args:
        rows: The rows.
        steps: Steps of the epoch.
        epochs: Length of the whole training.
    """
    rates: list[list[float]] = []
    for number, row in enumerate(rows):
        before = rows[number - 1] if number else row
        if number and _alike(row, before):
            rates.append(rates[-1])
            continue
        values = () if row.judging is None else row.judging.values
        factors = [
            learning_rate_factor(
                row.epoch * steps + step, steps, epochs=epochs, knobs=row.knobs, values=values
            )
            for step in range(steps)
        ]
        rates.append([row.knobs.lr * factor for factor in factors])
    return torch.tensor(rates, dtype=torch.float64)


def _alike(row: Planned, other: Planned) -> bool:
    unjudged = row.judging is None and other.judging is None
    return unjudged and row.epoch == other.epoch and row.knobs == other.knobs


def orders(
    rows: Sequence[Planned],
    *,
    counts: Sequence[int],
    size: int | None,
    samples: Sequence[Tensor | None],
    stream: int | None,
) -> Tensor:
    """Return the training rows of an epoch in each row's own order, int64, ``(members, rows)``.

    Args:
        rows: The rows.
        counts: Rows of the part that each row is trained on.
        size: Rows of an epoch; None for all.
        samples: The only training rows that each row sees; None for all.
        stream: The seed of one order for all, where they share the batches of a stream.
    """
    seeds = [row.seed if stream is None else stream for row in rows]
    whole = len(set(counts)) == 1 and (size is None or size >= counts[0])
    if whole and all(sample is None for sample in samples):
        return draws.whole_orders(seeds, [row.epoch for row in rows], rows=counts[0])
    return torch.stack(
        [
            draws.epoch_order(seed, row.epoch, rows=count, size=size, sample=sample)
            for seed, row, count, sample in zip(seeds, rows, counts, samples, strict=True)
        ]
    )


def generator_seeds(rows: Sequence[Planned], step: int) -> list[int]:
    """Return what torch's own generator is seeded with for each row before a step."""
    return [draws.fold(r.seed, draws.Purpose.GENERATOR, r.epoch, step) for r in rows]


def step_keys(
    rows: Sequence[Planned],
    steps: int,
    *,
    purpose: draws.Purpose = draws.Purpose.DROPOUT,
    device: torch.device,
) -> Tensor:
    """Return the keys of one purpose of an epoch's steps, int64, ``(members, steps)``.

    Args:
        rows: The rows.
        steps: Steps of the epoch.
        purpose: What is drawn.
        device: Where they are wanted.
    """
    keys = [draws.step_keys(row.seed, row.epoch, steps, purpose=purpose) for row in rows]
    return torch.stack(keys).to(device)


def planned(
    rows: Sequence[Planned],
    steps: int,
    *,
    shape: tuple[int, ...],
    device: torch.device,
    mixup: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return how examples are mixed in an epoch, each ``(members, steps, ...)``.

    Args:
        rows: The rows.
        steps: Steps of the epoch.
        shape: Shape of one example.
        device: Where they are wanted.
        mixup: Each row's knob where it tunes itself, ``(members,)``; None for the config's.
    """
    chosen = _knobs(rows, mixup)
    plans = [
        plan_mixing(r.seed, r.epoch, steps, knobs=own, shape=shape)
        for r, own in zip(rows, chosen, strict=True)
    ]
    return {
        "mix/share": torch.stack([plan.share for plan in plans]).to(device),
        "mix/blend": torch.stack([plan.blend for plan in plans]).to(device),
        "mix/box": torch.stack([plan.box for plan in plans]).to(device),
    }


def growths(
    rows: Sequence[Planned], steps: int, *, shape: tuple[int, ...], mixup: Tensor
) -> Tensor:
    """Return how the shares of :func:`planned` grow with ``mixup``, float64, ``(members, steps)``.

    Args:
        rows: The rows.
        steps: Steps of the epoch.
        shape: Shape of one example.
        mixup: Each row's knob, ``(members,)``.
    """
    chosen = zip(rows, _knobs(rows, mixup), strict=True)
    found = [share_growth(r.seed, r.epoch, steps, knobs=own, shape=shape) for r, own in chosen]
    return torch.stack(found).to(mixup.device)


def _knobs(rows: Sequence[Planned], mixup: Tensor | None) -> list[Knobs]:
    if mixup is None:
        return [row.knobs for row in rows]
    return [replace(r.knobs, mixup=own) for r, own in zip(rows, mixup.tolist(), strict=True)]
