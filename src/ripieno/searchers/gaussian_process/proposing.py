"""The search for the point of which most is expected."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ripieno.searchers.gaussian_process.climbing import climb
from ripieno.searchers.gaussian_process.evenly import evenly_spread
from ripieno.searchers.gaussian_process.layout import Layout, Units, key_of

__all__ = ["Acquisition", "propose"]

Acquisition = Callable[[Tensor], Tensor]
"""Maps points ``(count, dims)`` to what is expected of them, ``(count,)``."""

_WIDE = 384
_NEAR = 8
_WIDTHS = (0.2, 0.05, 0.01)
_CLIMBS = 8
_STEPS = 40
_ENOUGH = 1e-3
_WALKS = 3
_ROUNDS = 6


def propose(
    acquisition: Acquisition, layout: Layout, incumbents: Units, *, rng: np.random.Generator
) -> Units:
    """Return configs, the one of which most is expected first.

    It looks all over the space and about the incumbents; then it climbs from the best points,
    by gradient where coordinates are smooth and by single steps where they are not.

    Args:
        acquisition: What is expected of points.
        layout: Of the space.
        incumbents: The best configs so far, shape ``(count, dims)``.
        rng: Decides where it looks.
    """
    wide = evenly_spread(_WIDE, layout.space.dims, seed=int(rng.integers(2**31))).numpy()
    near = [point for unit in incumbents for point in _about(layout, unit, rng=rng)]
    pool = _Pool(acquisition, layout)
    pool.add([*wide, *near])
    pool.climb()
    if pool.walk():
        pool.climb()
    return pool.best()


def _about(layout: Layout, unit: Units, *, rng: np.random.Generator) -> list[Units]:
    """Return all single steps from a config, and numbers drawn about its own."""
    points = layout.beside(unit)
    moved = layout.active(unit) & ~layout.categorical
    if not moved.any():
        return points
    for width in np.repeat(_WIDTHS, _NEAR):
        # Some coordinates, not all: most of the best ones' are right already.
        picked = moved & (rng.random(len(unit)) < max(0.5, 1.0 / moved.sum()))
        noise = width * rng.standard_normal(len(unit))
        points.append(np.clip(np.where(picked, unit + noise, unit), 0.0, 1.0))
    return points


class _Pool:
    """The points that were looked at, and what is expected of them."""

    def __init__(self, acquisition: Acquisition, layout: Layout) -> None:
        self._acquisition = acquisition
        self._layout = layout
        self._units = np.empty((0, layout.space.dims))
        self._values = np.empty(0)

    def add(self, points: list[Units] | Units) -> None:
        """Look at more points, where there are configs that are allowed."""
        units = self._layout.settle(points)
        if not len(units):
            return
        values = self._acquisition(torch.from_numpy(units)).numpy()
        self._units = np.concatenate([self._units, units])
        self._values = np.concatenate([self._values, np.nan_to_num(values, nan=-np.inf)])

    def best(self, count: int | None = None) -> Units:
        """Return the best points, or all of them, each once, best first."""
        found: dict[bytes, Units] = {}
        for row in np.argsort(-self._values, kind="stable"):
            found.setdefault(key_of(self._units[row]), self._units[row])
            if len(found) == count:
                break
        return np.array(list(found.values())).reshape(-1, self._units.shape[1])

    def climb(self) -> None:
        """Follow the gradient from the best points, in their smooth coordinates."""
        starts = self.best(_CLIMBS)
        free = np.array([self._layout.active(unit) & self._layout.smooth for unit in starts])
        if not free.any():
            return
        ends, _ = climb(
            self._acquisition,
            torch.from_numpy(starts),
            free=torch.from_numpy(free),
            steps=_STEPS,
            enough=_ENOUGH,
        )
        self.add(ends.numpy())

    def walk(self) -> bool:
        """Step from the best points to better ones beside them; say whether there were any."""
        walked: set[bytes] = set()
        first = self.best(1).tobytes()
        for _ in range(_ROUNDS):
            fresh = [unit for unit in self.best(_WALKS) if key_of(unit) not in walked]
            beside = [point for unit in fresh for point in self._layout.beside(unit)]
            if not beside:
                break
            walked.update(map(key_of, fresh))
            self.add(beside)
        return self.best(1).tobytes() != first
