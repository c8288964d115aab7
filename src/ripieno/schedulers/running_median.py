"""The median of numbers that come one after another."""

import heapq

__all__ = ["RunningMedian"]


class RunningMedian:
    """Two heaps that meet in the median; adding a number costs the logarithm of their count."""

    def __init__(self) -> None:
        self._lower: list[float] = []  # negated: the largest first
        self._upper: list[float] = []

    def __len__(self) -> int:
        return len(self._lower) + len(self._upper)

    def add(self, number: float) -> None:
        """Add a number; infinities are allowed, NaN is not."""
        heapq.heappush(self._upper, -heapq.heappushpop(self._lower, -number))
        if len(self._upper) > len(self._lower):
            heapq.heappush(self._lower, -heapq.heappop(self._upper))

    @property
    def value(self) -> float:
        """The median of at least one number; of an even count the mean of the middle two."""
        if len(self._lower) > len(self._upper):
            return -self._lower[0]
        return (self._upper[0] - self._lower[0]) / 2
