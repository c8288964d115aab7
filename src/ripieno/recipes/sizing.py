"""How long a trial is, by the size of the data and the time that there is."""

from dataclasses import dataclass
from typing import Self

__all__ = ["FEW_ROWS", "Sizing"]

FEW_ROWS = 5_000
"""Training rows below which a wide network learns them by heart."""

_TINY_ROWS = 1_000
_MANY_ROWS = 20_000
_EPOCH_ROWS = 10_000
_MANY_MINUTES = 15.0


@dataclass(frozen=True, slots=True)
class Sizing:
    """What suits a number of training rows.

    Few rows make short epochs, of which there must be more; many rows make long ones, which
    are cut, so that a search looks at many configs before it spends much on one. With time
    enough, a training goes through many rows more often than six times.

    Args:
        rows: Rows of the training part.
        epochs: Epochs of the whole training: 81 below 1,000 rows, and beyond 20,000 in a
            search of a quarter of an hour or more; else 27. Both are powers of Hyperband's
            factor of 3, which then has whole rungs.
        epoch_rows: Rows of an epoch: 10,000 beyond 20,000 rows, else None for all of them.
        batch_sizes: What is worth trying, the default first.
    """

    rows: int
    epochs: int
    epoch_rows: int | None
    batch_sizes: tuple[int, ...]

    @classmethod
    def of(cls, rows: int, *, minutes: float | None = None) -> Self:
        """Return the sizes for a training part of so many rows.

        Args:
            rows: Rows of the training part.
            minutes: What the whole search may take; None where that is not known.
        """
        if rows < _TINY_ROWS:
            return cls(rows, 81, None, (32, 16, 64))
        if rows <= _MANY_ROWS:
            return cls(rows, 27, None, (32, 64, 128))
        epochs = 27 if minutes is None or minutes < _MANY_MINUTES else 81
        return cls(rows, epochs, _EPOCH_ROWS, (64, 128, 256))
