"""What is known of an epoch of all rows before it begins: learning rates, and what is mixed."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ripieno.recipes import Judging, Knobs, learning_rate_factor, plan_mixing

__all__ = ["Planned", "learning_rates", "planned"]


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
    rates = [
        [
            row.knobs.lr
            * learning_rate_factor(
                row.epoch * steps + step,
                steps,
                epochs=epochs,
                knobs=row.knobs,
                values=() if row.judging is None else row.judging.values,
            )
            for step in range(steps)
        ]
        for row in rows
    ]
    return torch.tensor(rates, dtype=torch.float64)


def planned(rows: Sequence[Planned], steps: int, *, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """Return how examples are mixed in an epoch, each ``(members, steps, ...)``.

    Args:
        rows: The rows.
        steps: Steps of the epoch.
        shape: Shape of one example.
    """
    plans = [plan_mixing(r.seed, r.epoch, steps, knobs=r.knobs, shape=shape) for r in rows]
    return {
        "mix/share": torch.stack([plan.share for plan in plans]),
        "mix/blend": torch.stack([plan.blend for plan in plans]),
        "mix/box": torch.stack([plan.box for plan in plans]),
    }
