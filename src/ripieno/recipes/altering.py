"""What the trainer does to the batches of one model in one epoch; see ``mixing``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from ripieno.recipes.knobs import Knobs
from ripieno.recipes.mixing import (
    Mixing,
    add_noise,
    mix_inputs,
    mix_losses,
    mixes,
    partners,
    plan_mixing,
)
from ripieno.recipes.ranks import Share

__all__ = ["Altering"]


@dataclass(frozen=True, slots=True)
class Altering:
    """Mixing and noise for the batches of one epoch; nothing at all where none is asked for.

    Args:
        noise: Standard deviation of the noise.
        boxes: Whether boxes may be pasted.
        steps: How each step is mixed; None for not at all.
    """

    noise: float | Tensor = 0.0
    boxes: bool = False
    steps: Mixing | None = None

    @classmethod
    def of(
        cls,
        knobs: Knobs,
        *,
        seed: int,
        epoch: int,
        steps: int,
        shape: tuple[int, ...],
        device: torch.device,
    ) -> Self:
        """Draw what an epoch needs; see :func:`~ripieno.recipes.mixing.plan_mixing`.

        Args:
            knobs: The trial's knobs.
            seed: Its seed.
            epoch: Epochs trained before this one.
            steps: Steps of the epoch.
            shape: Shape of one example.
            device: Where inputs are changed.
        """
        plan = None
        if mixes(knobs):
            plan = plan_mixing(seed, epoch, steps, knobs=knobs, shape=shape).to(device)
        return cls(knobs.input_noise, knobs.cutmix > 0.0, plan)

    def moved(self, knobs: Mapping[str, Tensor], growth: Tensor | None) -> Self:
        """Return the same as a smooth function of knobs.

        Args:
            knobs: What tunes itself, by name, each of no axes.
            growth: How the shares grow with ``mixup``, ``(steps,)``; they were drawn with the
                knob as it was, so that only the slope is wanted. None where it stays.
        """
        noise, steps = knobs.get("input_noise", self.noise), self.steps
        if growth is not None and steps is not None:
            move = growth * (knobs["mixup"] - knobs["mixup"].detach())
            steps = replace(steps, share=steps.share + move, blend=steps.blend + move)
        return replace(self, noise=noise, steps=steps)

    def inputs(self, x: Tensor, step: int, key: Tensor) -> Tensor:
        """Return what the model sees of a batch.

        Args:
            x: The batch, ``(batch, *features)``; left unchanged.
            step: Number of the step in its epoch.
            key: The step's key, int64, ``()``.
        """
        if self.steps is not None:
            x = mix_inputs(x, partners(key, len(x)), self.steps.at(step), boxes=self.boxes)
        return add_noise(x, key, self.noise) if self.noise > 0.0 else x

    def losses(
        self,
        loss: Callable[[Tensor], tuple[Tensor, Tensor]],
        y: Tensor,
        *,
        step: int,
        key: Tensor,
        share: Share,
    ) -> tuple[Tensor, Tensor]:
        """Return the losses and weights of a share of a batch against all its targets.

        Args:
            loss: A function of the share's targets to losses and weights, each ``(share,)``.
            y: The whole batch's targets.
            step: Number of the step in its epoch.
            key: The step's key, int64, ``()``.
            share: Which rows of the batch the losses are of.
        """
        losses, weights = loss(share.of(y))
        if self.steps is None:
            return losses, weights
        kept = self.steps.share[step]
        chosen = partners(key, len(y)).to(y.device)
        other_losses, other_weights = loss(share.of(y[chosen]))
        return mix_losses(losses, other_losses, kept), mix_losses(weights, other_weights, kept)
