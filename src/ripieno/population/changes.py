"""The random changes of the batches of an epoch, and the same as functions of their knobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import torch
from torch import Tensor

from ripieno.population.epoch import Planned, growths, planned, step_keys
from ripieno.recipes import SMOOTH, augment, augmentation_strengths, draws

__all__ = ["Changes", "Drawn"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A batch before it was changed, with what was drawn for that.

    Args:
        x: Inputs, ``(members, batch, ...)``, or ``(batch, ...)`` where nothing changes them.
        keys: What augmentations depend on, int64, ``(members,)``; None where there are none.
        strengths: How strong they are, by name, ``(members,)``.
        growth: How the shares of examples grow with ``mixup``, ``(members,)``; None where that
            does not tune itself.
    """

    x: Tensor
    keys: Tensor | None
    strengths: Mapping[str, Tensor]
    growth: Tensor | None

    def inputs(self, knobs: Mapping[str, Tensor] = MappingProxyType({})) -> Tensor:
        """Return the inputs after their augmentation.

        Args:
            knobs: What tunes itself, ``(members,)`` by name; a graph goes through it.
        """
        if self.keys is None:
            return self.x
        own = {name: value for name, value in knobs.items() if name in SMOOTH}
        return augment(self.x, self.keys, {**self.strengths, **own})

    def under(self, knobs: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the batch as a smooth function of knobs.

        Args:
            knobs: What tunes itself, ``(members,)`` by name.
            batch: The batch as it was trained on.
        """
        changed = {**batch, "x": self.inputs(knobs)}
        if self.growth is None:
            return changed
        # Shares are drawn once an epoch: here only their slope is wanted.
        move = self.growth * (knobs["mixup"] - knobs["mixup"].detach())
        return {**changed, **{n: batch[n] + move for n in ("mix/share", "mix/blend")}}


@dataclass(frozen=True, slots=True)
class Changes:
    """What changes the batches of an epoch; see :class:`Drawn`.

    Args:
        keys: ``(members, steps)``; None where there are no augmentations.
        strengths: By name, ``(members,)``.
        mixing: By name, ``(members, steps, ...)``.
        growth: ``(members, steps)``, or None.
    """

    keys: Tensor | None
    strengths: Mapping[str, Tensor]
    mixing: Mapping[str, Tensor]
    growth: Tensor | None = None

    @classmethod
    def of(
        cls,
        rows: Sequence[Planned],
        steps: int,
        *,
        shapes: tuple[tuple[int, ...], tuple[int, ...]],
        mixes: bool,
        mixup: Tensor | None,
        device: torch.device,
    ) -> Self:
        """Draw what changes the batches of an epoch.

        Args:
            rows: The rows.
            steps: Steps of the epoch.
            shapes: Of one row of the data, and of what the models are given of it.
            mixes: Whether examples are mixed.
            mixup: Each row's knob where it tunes itself, as it is when the epoch begins.
            device: Where batches are.
        """
        purpose = draws.Purpose.AUGMENTATION
        mixing = planned(rows, steps, shape=shapes[1], device=device, mixup=mixup) if mixes else {}
        strengths = augmentation_strengths([row.knobs for row in rows], shapes[0], device)
        keys = step_keys(rows, steps, purpose=purpose, device=device) if strengths else None
        return cls(
            keys=keys,
            strengths=strengths,
            mixing=mixing,
            growth=None if mixup is None else growths(rows, steps, shape=shapes[1], mixup=mixup),
        )

    def at(self, step: int, x: Tensor, arrays: Mapping[str, Tensor]) -> Drawn:
        """Return a batch of a step, with what was drawn for it.

        Args:
            step: Its number in the epoch.
            x: Inputs.
            arrays: The arrays of a stack, which hold strengths that tune themselves.
        """
        own = {n: arrays[f"hyper/{n}"] for n in SMOOTH if f"hyper/{n}" in arrays}
        return Drawn(
            x=x,
            keys=None if self.keys is None else self.keys[:, step],
            strengths={**self.strengths, **own},
            growth=None if self.growth is None else self.growth[:, step],
        )
