"""What was observed, as arrays."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ripieno.searchers.gaussian_process.layout import Units

__all__ = ["Rows", "share"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Trials as far as they were observed: one row for each epoch at which they were.

    Args:
        units: Canonical coordinates of the configs, shape ``(rows, dims)``.
        shares: The epoch reached, 1.0 for the full budget, shape ``(rows,)``.
        badness: Less is better, shape ``(rows, objectives)``; not finite where it failed.
        excess: How far beyond each limit a row is, negative where it keeps it, shape
            ``(rows, limits)``; not finite where it failed.
    """

    units: Units
    shares: NDArray[np.float64]
    badness: NDArray[np.float64]
    excess: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.units)

    def thinned(self, most: int, *, seed: int) -> "Rows":
        """Return the best half of ``most``, the latest quarter, and random ones of the rest.

        Rows keep their sequence. They are the same ones as long as the same rows are given,
        and mostly the same ones when a few are added.
        """
        if len(self) <= most:
            return self
        ranks = np.argsort(np.argsort(self.badness, axis=0, kind="stable"), axis=0).min(axis=1)
        # What breaks a limit comes after all that keeps them.
        ranks[(self.excess > 0.0).any(axis=1)] += len(self)
        best = np.argsort(ranks, kind="stable")[: most // 2]
        latest = np.arange(len(self) - most // 4, len(self))
        kept = np.union1d(best, latest)
        rest = np.setdiff1d(np.arange(len(self)), kept)
        # Number i of a seed's draws does not change when more are drawn.
        lots = np.random.default_rng(seed).random(len(self))
        drawn = rest[np.argsort(lots[rest], kind="stable")[: most - len(kept)]]
        kept = np.sort(np.concatenate([kept, drawn]))
        return Rows(self.units[kept], self.shares[kept], self.badness[kept], self.excess[kept])


def share(epochs: int, *, most: int) -> float:
    """Return an epoch's place between none and the most, on a logarithmic scale."""
    return math.log1p(min(epochs, most)) / math.log1p(most) if most else 1.0
