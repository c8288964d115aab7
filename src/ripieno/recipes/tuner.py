"""What computes hypergradients of the knobs that tune themselves while a model trains."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ripieno.errors import RecipeError
from ripieno.recipes import draws
from ripieno.recipes.feeding import Features

__all__ = [
    "TUNED_EVERY",
    "TUNED_STEP",
    "TUNED_WARMUP",
    "Tuner",
    "TunerLoss",
    "in_memory",
    "tuned_slots",
    "tuning_rows",
]

TUNED_EVERY = 5
TUNED_STEP = 0.1
TUNED_WARMUP = 1
"""Steps of training for one of the knobs, the size of that one, and epochs before the first."""
_ROWS = 256

TunerLoss = Callable[[dict[str, Tensor], dict[str, Tensor]], Tensor]
"""A loss of parameters and of how far the knobs have moved: ``()``, or ``(members,)``."""


def tuned_slots(names: Sequence[str]) -> dict[str, str]:
    """Return what is stored of each knob that tunes itself, and the knob, whose shape it has.

    Args:
        names: What tunes itself.
    """
    kinds = ("", "_mean", "_square")
    return {f"tuned_{name}{kind}": name for name in names for kind in kinds}


def tuning_rows(key: Tensor, rows: int, *, least: int) -> Tensor:
    """Return which validation rows a step of the knobs looks at, int64; all of few.

    Args:
        key: What the draw depends on, int64, ``()``.
        rows: Rows of the part.
        least: The fewest rows of any fold's part, of which all have as many.
    """
    most = min(_ROWS, least)
    return torch.arange(most) if rows <= _ROWS else draws.bits(key, (most,)) % rows


def in_memory(x: Features) -> Tensor:
    """Return features of which rows can be drawn.

    Raises:
        RecipeError: They are a stream.
    """
    if not isinstance(x, Tensor):
        raise RecipeError(
            "the validation part is a stream, of which no rows are drawn.",
            where="the training hyperparameter 'hypergradient'",
            fix="load the data into memory, or tune the learning rate alone.",
        )
    return x


class Tuner(Protocol):
    """Computes hypergradients. It lies in a room above this one, and is given to the runner."""

    def values(self, first: Mapping[str, Tensor], moved: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the knobs after they have moved.

        Args:
            first: Where they began, by name: ``()`` or ``(numbers,)``, of rows with an axis
                of members in front.
            moved: How far they have moved, of that shape.
        """

    def slopes(
        self,
        train_loss: TunerLoss,
        validation_loss: TunerLoss,
        *,
        params: Mapping[str, Tensor],
        moved: Mapping[str, Tensor],
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return each row's gradients by what has moved, and the rows where they are none.

        Args:
            train_loss: What parameters minimize.
            validation_loss: What the knobs minimize.
            params: The parameters; left unchanged.
            moved: How far each knob has moved.
        """
