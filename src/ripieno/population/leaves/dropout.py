"""Dropout: masks of every row's own key, the very masks that it would get alone."""

import torch
from torch import Tensor

from ripieno.population.leaves.call import Rows
from ripieno.recipes import draws

__all__ = ["Masks", "dropout"]


class Masks:
    """The masks of one step.

    The draws of a row are numbered by its own dropout calls, those with ``p > 0``, as in the
    one-model trainer: a row that leaves a layer out does not shift its neighbours' numbers.

    Args:
        keys: The step's key of each row, int64, shape ``(members,)``.
    """

    def __init__(self, keys: Tensor) -> None:
        self._keys = keys
        self._layer: Tensor | int = 0

    def noise(self, shape: tuple[int, ...], *, p: Tensor | float, dtype: torch.dtype) -> Tensor:
        """Return what the next layer is multiplied with: 0 or ``1 / (1 - p)``.

        Args:
            shape: What one row draws.
            p: Probability of dropping: one number, or float64 ``(members,)``.
            dtype: Of the result.

        Returns:
            Shape ``(members, *shape)``.
        """
        keep = draws.keep_mask(self._keys, shape, p=p, layer=self._layer)
        if isinstance(p, Tensor):
            self._layer = self._layer + (p > 0).long()
            scale = torch.where(p < 1.0, 1.0 / (1.0 - p), 0.0).to(dtype)
            return keep.to(dtype) * scale.view(-1, *[1] * len(shape))
        self._layer = self._layer + 1
        return keep.to(dtype) * (0.0 if p == 1.0 else 1.0 / (1.0 - p))


def dropout(
    x: Rows,
    *,
    members: int,  # noqa: ARG001 - every leaf is told
    masks: Masks,
    p: Tensor | float,
    mask_axes: int | None,
) -> Rows:
    """Drop single numbers, or whole channels.

    Args:
        x: Any shape for one model.
        members: Number of rows.
        masks: The step's masks.
        p: Probability of dropping: one number, or float64 ``(members,)``.
        mask_axes: Leading axes with draws of their own; the others share them. None: all.
    """
    dim = 0 if x.dim is None else x.dim
    own = x.tensor.unsqueeze(0) if x.dim is None else x.tensor
    shape = tuple(own.movedim(dim, 0).shape[1:])
    drawn = shape if mask_axes is None else (*shape[:mask_axes], *[1] * (len(shape) - mask_axes))
    noise = masks.noise(drawn, p=p, dtype=own.dtype)
    return Rows(own * noise.movedim(0, dim), dim)
