"""What training does to a batch of inputs before the model sees it: mixing and noise.

The functions work on one model's batch and, with a member axis in front of everything, on a
whole stack's, and give each row the numbers that it would get alone. How much is mixed is
drawn on the host, for all steps of an epoch at once (:func:`plan_mixing`); partners and noise
come from the step's key, as masks of dropout do.

Sources: Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018; Yun et al.,
"CutMix: Regularization strategy to train strong classifiers with localizable features",
ICCV 2019.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.errors import RecipeError
from ripieno.recipes import draws
from ripieno.recipes.knobs import Knobs

__all__ = [
    "Mixing",
    "add_noise",
    "check_mixing",
    "mix_inputs",
    "mix_losses",
    "mixes",
    "partners",
    "plan_mixing",
    "share_growth",
    "take",
]

_PARTNER_LAYER, _NOISE_LAYER = 1 << 24, (1 << 24) + 1
"""Numbers that no dropout call of a step reaches."""
_NEAR = 1e-4
"""Half the distance of two knobs whose difference is a derivative, as a share of the knob."""


@dataclass(frozen=True, slots=True)
class Mixing:
    """How the examples of one step, of all steps of an epoch, or of a stack are mixed.

    Args:
        share: What an example keeps of its own target; float64, ``(*lead,)``.
        blend: What it keeps of its own input outside of the box; float64, ``(*lead,)``.
        box: Rows ``[0, 1)`` and columns ``[2, 3)`` of the box that is its partner's, int64,
            ``(*lead, 4)``.
    """

    share: Tensor
    blend: Tensor
    box: Tensor

    def at(self, step: int) -> "Mixing":
        """Return how one step, or one row, is mixed."""
        return Mixing(self.share[step], self.blend[step], self.box[step])

    def to(self, device: torch.device) -> "Mixing":
        """Return the same on a device."""
        return Mixing(self.share.to(device), self.blend.to(device), self.box.to(device))


def mixes(knobs: Knobs) -> bool:
    """Say whether examples are mixed at all."""
    return knobs.mixup > 0.0 or knobs.cutmix > 0.0


def check_mixing(names: Collection[str], shape: tuple[int, ...], *, where: str) -> None:
    """Refuse to cut boxes out of what is no image.

    Args:
        names: Names of knobs that are not zero.
        shape: Shape of one example.
        where: Of the message.

    Raises:
        RecipeError: ``cutmix`` is among the names, and the examples are no images.
    """
    if "cutmix" in names and len(shape) != 3:
        raise RecipeError(
            f"'cutmix' cuts boxes out of images, and an example has the shape {shape}.",
            where=where,
            fix="use mixup, which mixes examples of any kind, or leave cutmix at 0.",
        )


def plan_mixing(
    seed: int, epoch: int, steps: int, *, knobs: Knobs, shape: tuple[int, ...]
) -> Mixing:
    """Draw how all steps of one epoch are mixed, ``lead = (steps,)``.

    Where both are asked for, each step takes one of them with the same probability.

    Args:
        seed: The trial's seed.
        epoch: Epochs trained before this one.
        steps: Steps of the epoch.
        knobs: The trial's knobs.
        shape: Shape of one example.

    Raises:
        RecipeError: Boxes are to be cut out of something that is no image.
    """
    share, blend = np.ones(steps), np.ones(steps)
    box = np.zeros((steps, 4), dtype=np.int64)
    if mixes(knobs):
        key = draws.key_tensor(draws.fold(seed, draws.Purpose.MIXING, epoch))
        # Loading scipy.special takes a quarter of a second, which few trainings need to pay.
        from scipy.special import betaincinv

        u = draws.uniform(key, (5, steps)).double().numpy()
        boxes = np.full(steps, knobs.cutmix > 0.0)
        if knobs.mixup > 0.0:
            boxes &= u[0] < 0.5
            drawn = betaincinv(knobs.mixup, knobs.mixup, _inside(u[1]))
            share = blend = np.where(boxes, 1.0, drawn)
        if knobs.cutmix > 0.0:
            check_mixing({"cutmix"}, shape, where="the training hyperparameter 'cutmix'")
            height, width = shape[1:]
            drawn = betaincinv(knobs.cutmix, knobs.cutmix, _inside(u[2]))
            cut = _cut(np.sqrt(1.0 - drawn), u[3:], height=height, width=width)
            box = np.where(boxes[:, None], cut, 0)
            area = (box[:, 1] - box[:, 0]) * (box[:, 3] - box[:, 2]) / (height * width)
            share = np.where(boxes, 1.0 - area, share)
    return Mixing(torch.from_numpy(share), torch.from_numpy(blend), torch.from_numpy(box))


def share_growth(
    seed: int, epoch: int, steps: int, *, knobs: Knobs, shape: tuple[int, ...]
) -> Tensor:
    """Return how the shares of :func:`plan_mixing` grow with the knob ``mixup``, ``(steps,)``.

    The draws stay: a share is the quantile of Beta(mixup, mixup) at its draw, and this is its
    derivative by the parameter, a central difference. Where a step pastes a box it is zero.
    """
    near = _NEAR * knobs.mixup
    beside = [
        plan_mixing(
            seed, epoch, steps, knobs=replace(knobs, mixup=knobs.mixup + move), shape=shape
        ).share
        for move in (-near, near)
    ]
    return (beside[1] - beside[0]) / (2 * near)


def partners(key: Tensor, batch: int) -> Tensor:
    """Return each example's partner, int64, ``(*key.shape, batch)``.

    Args:
        key: The step's key, int64, ``()`` or ``(members,)``.
        batch: Examples of the batch.
    """
    return draws.bits(key, (batch,), layer=_PARTNER_LAYER).argsort(dim=-1)


def take(x: Tensor, partner: Tensor) -> Tensor:
    """Return the partner of every example.

    Args:
        x: Inputs or targets, ``(*lead, batch, ...)``.
        partner: Of each example, ``(*lead, batch)``.
    """
    if partner.ndim == 1:
        return x[partner]
    index = partner.view(*partner.shape, *[1] * (x.ndim - partner.ndim)).expand_as(x)
    return x.gather(partner.ndim - 1, index)


def mix_inputs(x: Tensor, partner: Tensor, mixing: Mixing, *, boxes: bool) -> Tensor:
    """Return every example mixed with its partner.

    A row that keeps all of its own is left bit for bit as it was.

    Args:
        x: Inputs, ``(*lead, batch, *features)``.
        partner: Of each example, ``(*lead, batch)``.
        mixing: How, with the same ``lead``.
        boxes: Whether there may be boxes; then the inputs are images.
    """
    lead = mixing.share.ndim
    other = take(x, partner)
    own = _spread(mixing.blend.to(x.dtype), x, lead)
    mixed = torch.where(own < 1, own * x + (1 - own) * other, x)
    if not boxes:
        return mixed
    return torch.where(_inside_box(mixing.box, x, lead), other, mixed)


def mix_losses(losses: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """Return losses, or weights, against both targets: the example's and its partner's.

    Args:
        losses: Against each example's own target, ``(*lead, batch)``.
        others: Against its partner's.
        share: What it keeps of its own, ``(*lead,)``.
    """
    own = share.to(losses).unsqueeze(-1)
    return torch.where(own < 1, own * losses + (1 - own) * others, losses)


def add_noise(x: Tensor, key: Tensor, scale: Tensor | float) -> Tensor:
    """Return the inputs with normal noise added.

    Args:
        x: Inputs, ``(*key.shape, batch, *features)``.
        key: The step's key, int64, ``()`` or ``(members,)``.
        scale: Standard deviation, a number or ``(members,)``; a row with 0 is left alone.
    """
    # 23 bits, so that the middles of equal intervals of (-1, 1) are exact in a float32 too.
    drawn = draws.bits(key, tuple(x.shape[key.ndim :]), layer=_NOISE_LAYER) >> 9
    noise = torch.erfinv((drawn.to(x.dtype) + 0.5) * 2.0**-22 - 1) * math.sqrt(2.0)
    if not isinstance(scale, Tensor):
        return x + scale * noise
    wide = _spread(scale.to(x.dtype), x, key.ndim)
    return torch.where(wide > 0, x + wide * noise, x)


def _inside(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move draws off the lower end, where the inverse of a distribution is not defined."""
    return u + 2.0**-25


def _cut(
    side: NDArray[np.float64], u: NDArray[np.float64], *, height: int, width: int
) -> NDArray[np.int64]:
    """Return boxes of a share of each side around uniform centres, cut off at the borders."""
    parts: list[NDArray[np.int64]] = []
    for size, centre in ((height, u[0]), (width, u[1])):
        half = np.floor(size * side).astype(np.int64) // 2
        middle = np.floor(size * centre).astype(np.int64)
        parts += [np.clip(middle - half, 0, size), np.clip(middle + half, 0, size)]
    return np.stack(parts, axis=1)


def _spread(numbers: Tensor, x: Tensor, lead: int) -> Tensor:
    """Return ``(*lead,)`` as ``(*lead, 1, ...)`` beside inputs."""
    return numbers.view(*numbers.shape, *[1] * (x.ndim - lead))


def _inside_box(box: Tensor, x: Tensor, lead: int) -> Tensor:
    """Return which pixels of ``x`` lie in the box, broadcastable to its shape."""
    height, width = x.shape[-2:]
    edges = [_spread(edge, x, lead) for edge in box.unbind(-1)]
    rows = torch.arange(height, device=x.device).unsqueeze(-1)
    columns = torch.arange(width, device=x.device)
    return (rows >= edges[0]) & (rows < edges[1]) & (columns >= edges[2]) & (columns < edges[3])
