"""A space as the model sees it: coordinates of the unit cube, and steps between configs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ripieno.space import Categorical, Space

__all__ = ["Layout", "Units", "key_of"]

Units = NDArray[np.float64]
"""Points of the unit cube, the last axis being its dimensions."""

_FEW = 12
"""A number of at most so many values is stepped from one to another, not moved smoothly."""
_COUNTABLE = 4096


class Layout:
    """Which coordinates of a space are choices, which are smooth, and what lies beside what.

    Inactive hyperparameters stand at one half, so that configs which differ in nothing but
    what they do not use are one point. What makes them inactive is a coordinate too, and so
    the model tells them from those that use the middle.

    Args:
        space: What is searched.

    Attributes:
        categorical: Coordinates without an order, bool, shape ``(dims,)``.
        smooth: Coordinates that may follow a gradient, bool, shape ``(dims,)``.
    """

    def __init__(self, space: Space) -> None:
        domains = [space[name] for name in space.searched]
        self.space = space
        self.categorical = np.array([isinstance(d, Categorical) for d in domains], dtype=bool)
        self.smooth = ~self.categorical & np.array([d.size > _FEW for d in domains], dtype=bool)
        self._grids = [
            np.array([domain.encode(domain.nth(index)) for index in range(int(domain.size))])
            if domain.size <= _COUNTABLE
            else None
            for domain in domains
        ]
        self._bound = bool(space.constraints) or any(d.conditions for d in space.values())

    def active(self, unit: Units) -> NDArray[np.bool_]:
        """Return which hyperparameters the config at a point has, shape ``(dims,)``."""
        config = self.space.decode(unit)
        return np.array([name in config for name in self.space.searched], dtype=bool)

    def settle(self, points: Sequence[Units] | Units) -> Units:
        """Move points to where configs are, and drop those that are not allowed.

        Returns:
            Shape ``(configs, dims)``, in sequence: steps are kept, and inactive
            hyperparameters stand at one half. Real numbers may still be off by the twelfth
            digit, where decoding each would be all that it is good for.
        """
        if not self._bound:
            return self._stepped(np.array(points).reshape(len(points), self.space.dims))
        configs = [self.space.decode(point) for point in points]
        units = [self.space.encode(config) for config in configs if self.space.allows(config)]
        return np.array(units).reshape(len(units), self.space.dims)

    def beside(self, unit: Units) -> list[Units]:
        """Return points that differ from a config in one choice or by one step of a number."""
        points = []
        for index in np.flatnonzero(self.active(unit)):
            for value in self._values_beside(int(index), float(unit[index])):
                point = unit.copy()
                point[index] = value
                points.append(point)
        return points

    def _stepped(self, points: Units) -> Units:
        stepped = np.clip(points, 0.0, 1.0)
        for index, grid in enumerate(self._grids):
            if grid is not None:
                middles = (grid[1:] + grid[:-1]) / 2.0
                stepped[:, index] = grid[np.searchsorted(middles, stepped[:, index])]
        return stepped

    def _values_beside(self, index: int, value: float) -> list[float]:
        grid = self._grids[index]
        if grid is None:
            return []
        place = int(np.abs(grid - value).argmin())
        if self.categorical[index]:
            return [float(other) for other in np.delete(grid, place)]
        places = (place + step for step in (-2, -1, 1, 2))
        return [float(grid[other]) for other in places if 0 <= other < len(grid)]


def key_of(unit: Units) -> bytes:
    """Return what equal configs, and no others, have in common, given canonical coordinates."""
    return unit.tobytes()
