"""Losses of all rows at once, example by example, as :mod:`ripieno.recipes` computes them."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.errors import RecipeError
from ripieno.recipes import LOSSES, LossFunction, find_loss, smooth_cross_entropy

__all__ = ["STACKED_LOSSES", "check_outputs", "stacked_loss", "stacked_options"]


STACKED_LOSSES: Mapping[str, Callable[..., tuple[Tensor, Tensor]]] = MappingProxyType(
    {**LOSSES, "cross_entropy": smooth_cross_entropy}
)
"""Losses by the names of :data:`ripieno.recipes.LOSSES`, of outputs with a member axis."""


def stacked_loss(loss: str | LossFunction) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return a loss of all rows; a user's own function is run for each row by vmap."""
    if isinstance(loss, str):
        return STACKED_LOSSES[loss]
    return torch.vmap(find_loss(loss).function)


def stacked_options(rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Return what the rows' losses read, float64, ``(members,)`` or ``(members, outputs)``.

    Weights and label smoothing that no row uses are left out: they would cost arithmetic.

    Args:
        rows: For each row its options, as ``loss_options`` returns them, all of one loss.
    """
    stacked: dict[str, Tensor] = {}
    for name in sorted({name for row in rows for name in row}):
        found = [row.get(name) for row in rows]
        arrays: list[NDArray[np.float64]] = [v for v in found if isinstance(v, np.ndarray)]
        if arrays:
            plain = np.ones_like(arrays[0])
            stacked[name] = torch.from_numpy(np.stack([plain if v is None else v for v in found]))
        elif name != "label_smoothing" or any(found):
            stacked[name] = torch.tensor(found, dtype=torch.float64)
    return stacked


def check_outputs(outputs: Tensor, y: Tensor) -> None:
    """Refuse outputs that would only be broadcast against labels or values.

    Args:
        outputs: Shape ``(..., batch, outputs)``.
        y: Targets; classes pass, which a loss looks up.

    Raises:
        RecipeError: The shapes differ.
    """
    if y.is_floating_point() and outputs.shape != y.shape:
        raise RecipeError(
            f"the model returned outputs of shape {tuple(outputs.shape)} for targets of shape "
            f"{tuple(y.shape)}.",
            where="the forward of a stack",
            fix="return one row an example, with an output for each label or column.",
        )
