"""Random changes of training images, on the device that holds them, for all rows at once.

Every function works on batches ``(members, batch, channels, height, width)`` with one strength
a row; the one-model trainer is the case of one member. What an example meets is a function of
(trial, epoch, step, place in the batch) alone, drawn as in :mod:`ripieno.recipes.draws`, so
that a row's images are the same whatever trains beside it, bit for bit: a row whose strength
is zero is left as it is, and what no row wants is not computed.

Blank pixels are zero, which is the mean of the training images.

Sources: DeVries and Taylor, "Improved regularization of convolutional neural networks with
Cutout", arXiv:1708.04552; He et al., "Deep residual learning for image recognition", CVPR 2016,
section 4.2 (mirror images and padded crops).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from ripieno.errors import RecipeError
from ripieno.recipes import draws
from ripieno.recipes.knobs import Knobs

__all__ = ["AUGMENTATIONS", "SMOOTH", "augment", "augmentation_strengths", "check_augmentation"]

AUGMENTATIONS = ("flip", "crop_padding", "rotation", "color_jitter", "cutout")
"""The knobs that change images, in the order in which they do it."""

SMOOTH = ("rotation", "color_jitter")
"""Those in whose strength what comes out is smooth."""

_SATURATED_CHANNELS = 3


class _Layer(IntEnum):
    """The number of a draw within a step."""

    FLIP = 0
    DOWN = 1
    RIGHT = 2
    ANGLE = 3
    BRIGHTNESS = 4
    CONTRAST = 5
    SATURATION = 6
    CUT_DOWN = 7
    CUT_RIGHT = 8


def check_augmentation(names: Iterable[str], shape: tuple[int, ...], *, where: str) -> None:
    """Refuse augmentations of what is no image.

    Args:
        names: Names of knobs that are not zero.
        shape: Shape of one row of the data.
        where: Of the message.

    Raises:
        RecipeError: There is an augmentation among the names, and the rows are no images.
    """
    wanted = [name for name in names if name in AUGMENTATIONS]
    if wanted and len(shape) != 3:
        raise RecipeError(
            f"{wanted[0]!r} changes images, and the rows have the shape {shape}.",
            where=where,
            fix=f"leave {wanted[0]!r} out or at zero: a table has no left and right.",
        )


def augmentation_strengths(
    knobs: Sequence[Knobs], shape: tuple[int, ...], device: torch.device | None = None
) -> dict[str, Tensor]:
    """Return every row's strengths by name, float64 ``(members,)``; none that no row uses.

    Args:
        knobs: The knobs of each row.
        shape: Shape of one row of the data.
        device: Where they are wanted.

    Raises:
        RecipeError: A row wants to augment what is no image.
    """
    used = {name for name in AUGMENTATIONS if any(getattr(k, name) for k in knobs)}
    check_augmentation(sorted(used), shape, where="the training hyperparameters")
    return {
        name: torch.tensor(
            [float(getattr(k, name)) for k in knobs], dtype=torch.float64, device=device
        )
        for name in AUGMENTATIONS
        if name in used
    }


def augment(x: Tensor, keys: Tensor, strengths: Mapping[str, Tensor]) -> Tensor:
    """Return a batch of changed images.

    Args:
        x: ``(members, batch, channels, height, width)``; left unchanged.
        keys: Each row's key of this step (``draws.step_keys`` for
            ``Purpose.AUGMENTATION``), int64, ``(members,)``.
        strengths: What :func:`augmentation_strengths` returned. A graph goes through those of
            :data:`SMOOTH`, which only scale what is drawn.

    Returns:
        A tensor of the same shape and dtype; ``x`` itself where there are no strengths.
    """
    if not strengths:
        return x
    keys = keys.to(x.device)
    if "flip" in strengths or "crop_padding" in strengths:
        x = _move(x, keys, strengths)
    for name, function in _FUNCTIONS.items():
        if name in strengths:
            strength = strengths[name].to(x.device)
            changed = function(x, keys, strength)
            x = torch.where(_like_images(strength > 0), changed, x)
    return x


def _uniform(x: Tensor, keys: Tensor, layer: _Layer) -> Tensor:
    """Draw one number in [0, 1) for each example, float64, ``(members, batch)``."""
    return draws.uniform(keys, (x.shape[1],), layer=layer).double()


def _within(x: Tensor, keys: Tensor, layer: _Layer, *, largest: Tensor) -> Tensor:
    """Draw one number in [-largest, largest) for each example, float64, ``(members, batch)``."""
    return (2.0 * _uniform(x, keys, layer) - 1.0) * largest.unsqueeze(1)


def _like_images(values: Tensor) -> Tensor:
    """Return ``(members,)`` or ``(members, batch)`` with the axes of a batch of images."""
    return values.view(*values.shape, *[1] * (5 - values.ndim))


def _move(x: Tensor, keys: Tensor, strengths: Mapping[str, Tensor]) -> Tensor:
    """Mirror and shift: whole rows of pixels are gathered first, then columns.

    A shift by whole pixels up to ``crop_padding`` is the crop of an image that was padded by
    as many zeros on each side.
    """
    height, width = x.shape[-2:]
    none = torch.zeros(len(x), dtype=torch.float64)
    chance = strengths.get("flip", none).to(x.device).unsqueeze(1)
    most = strengths.get("crop_padding", none).to(x.device).unsqueeze(1)
    rows = _shifted(height, _uniform(x, keys, _Layer.DOWN), most)
    columns = _shifted(width, _uniform(x, keys, _Layer.RIGHT), most)
    mirrored = _uniform(x, keys, _Layer.FLIP) < chance
    columns = torch.where(mirrored.unsqueeze(-1), width - 1 - columns, columns)
    inside = _outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    first = torch.arange(0, x.shape[:3].numel() * height, height, device=x.device)
    places = first.view(*x.shape[:3], 1) + rows.clamp(0, height - 1).unsqueeze(2)
    found = x.reshape(-1, width).index_select(0, places.flatten()).view(x.shape)
    across = columns.clamp(0, width - 1)[:, :, None, None, :]
    return torch.where(inside.unsqueeze(2), found.gather(-1, across.expand_as(x)), 0.0)


def _shifted(side: int, drawn: Tensor, most: Tensor) -> Tensor:
    """Return which pixel each place takes along an axis, int64 ``(members, batch, side)``."""
    offset = torch.floor(drawn * (2.0 * most + 1.0)) - most
    return torch.arange(side, device=drawn.device) + offset.long().unsqueeze(-1)


def _outer(rows: Tensor, columns: Tensor) -> Tensor:
    """Say which pixels lie in chosen rows and in chosen columns: ``(members, batch, h, w)``."""
    return rows.unsqueeze(-1) & columns.unsqueeze(-2)


def _rotate(x: Tensor, keys: Tensor, degrees: Tensor) -> Tensor:
    """Rotate about the centre, counter-clockwise for positive angles, linear between pixels."""
    height, width = x.shape[-2:]
    angle = _within(x, keys, _Layer.ANGLE, largest=degrees * (math.pi / 180.0))
    cos, sin = (part.to(x.dtype)[..., None, None] for part in (angle.cos(), angle.sin()))
    down = torch.arange(height, dtype=x.dtype, device=x.device) - (height - 1) / 2
    right = torch.arange(width, dtype=x.dtype, device=x.device) - (width - 1) / 2
    down = down.unsqueeze(-1)
    # Where a pixel comes from, counted from the centre, as shares of half an image.
    from_right = (cos * right - sin * down) * (2.0 / width)
    from_down = (sin * right + cos * down) * (2.0 / height)
    grid = torch.stack([from_right, from_down], dim=-1)
    images, places = x.flatten(0, 1), grid.flatten(0, 1)
    turned = F.grid_sample(images, places, padding_mode="zeros", align_corners=False)
    return turned.view(x.shape)


def _jitter(x: Tensor, keys: Tensor, strength: Tensor) -> Tensor:
    """Change brightness and contrast, and the saturation of images with three channels.

    Brightness adds up to ``strength`` standard deviations of the training images; contrast
    scales what differs from the image's own mean, and saturation what differs from the mean
    of a pixel's channels, by factors in ``[1 - strength, 1 + strength)``.
    """

    def drawn(layer: _Layer) -> Tensor:
        return _like_images(_within(x, keys, layer, largest=strength)).to(x.dtype)

    out = x + drawn(_Layer.BRIGHTNESS)
    mean = out.mean(dim=(2, 3, 4), keepdim=True)
    out = mean + (out - mean) * (1.0 + drawn(_Layer.CONTRAST))
    if x.shape[2] == _SATURATED_CHANNELS:
        gray = out.mean(dim=2, keepdim=True)
        out = gray + (out - gray) * (1.0 + drawn(_Layer.SATURATION))
    return out


def _cut(x: Tensor, keys: Tensor, share: Tensor) -> Tensor:
    """Blank a rectangle around a pixel; what lies outside of the image is lost."""
    rows = _cut_along(x.shape[-2], _uniform(x, keys, _Layer.CUT_DOWN), share)
    columns = _cut_along(x.shape[-1], _uniform(x, keys, _Layer.CUT_RIGHT), share)
    return torch.where(_outer(rows, columns).unsqueeze(2), 0.0, x)


def _cut_along(side: int, drawn: Tensor, share: Tensor) -> Tensor:
    """Say which places along an axis are cut, bool ``(members, batch, side)``."""
    length = torch.round(share * side).long().view(-1, 1, 1)
    begin = torch.floor(drawn * side).long().unsqueeze(-1) - length // 2
    place = torch.arange(side, device=drawn.device)
    return (place >= begin) & (place < begin + length)


_FUNCTIONS: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = MappingProxyType(
    {"rotation": _rotate, "color_jitter": _jitter, "cutout": _cut}
)
