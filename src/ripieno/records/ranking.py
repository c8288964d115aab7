"""Which trials are better than which, where several metrics count: fronts and crowding.

A trial dominates another one if it is no worse in any objective and better in one. What
nobody dominates is the first front; without it the next one is found, and so on. Within a
front, a trial comes the earlier the further its neighbours in the front lie apart, so that a
front is thinned where it is densest. Trials that break a limit come after all others, the
smaller violation first. All ties go to the earlier trial, so that a ranking is a function of
the trials alone.

Source: K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, "A Fast and Elitist Multiobjective
Genetic Algorithm: NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002 (the
crowding distance and, as "constrained-dominates", the place of what breaks a limit); X. Zhang,
Y. Tian, R. Cheng, Y. Jin, "An Efficient Approach to Nondominated Sorting for Evolutionary
Multiobjective Optimization", IEEE Transactions on Evolutionary Computation 19(2), 2015 (the
binary search over fronts).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SearchError
from ripieno.records.goal import Merit

__all__ = ["crowding", "front", "fronts", "hypervolume", "ranked"]


def ranked(merits: Mapping[int, Merit | None]) -> list[int]:
    """Return the trials that have a value, the best one first.

    Args:
        merits: What each trial counts for; None for one that diverged or failed.
    """
    valued = {trial: merit for trial, merit in sorted(merits.items()) if merit is not None}
    keeping = [trial for trial, merit in valued.items() if merit.violation == 0.0]
    breaking = [trial for trial, merit in valued.items() if merit.violation > 0.0]
    breaking.sort(key=lambda trial: (valued[trial].violation, trial))
    return [*_by_front(keeping, valued), *breaking]


def front(merits: Mapping[int, Merit]) -> list[int]:
    """Return the trials that keep all limits and that no such trial dominates.

    They come in the sequence of the first objective, its best one first.
    """
    keeping = [trial for trial, merit in sorted(merits.items()) if merit.violation == 0.0]
    if not keeping:
        return []
    first = fronts(_points(keeping, merits))[0]
    return sorted((keeping[row] for row in first), key=lambda trial: merits[trial].order)


def fronts(points: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Divide points into fronts, the one that nothing dominates first.

    Args:
        points: Less is better, without NaN, shape ``(points, objectives)``.

    Returns:
        Ascending rows of ``points``, one array a front; equal points are of one front.
    """
    if not len(points):
        return []
    # Ascending in the first column, so that no point dominates one before it.
    unique, where = np.unique(points, axis=0, return_inverse=True)
    members: list[list[int]] = []
    front_of = np.empty(len(unique), dtype=np.int64)
    for row, point in enumerate(unique):
        low, high = 0, len(members)
        while low < high:
            middle = (low + high) // 2
            # What a member of some front dominates, a member of every earlier one does too.
            if (unique[members[middle]] <= point).all(axis=1).any():
                low = middle + 1
            else:
                high = middle
        if low == len(members):
            members.append([])
        members[low].append(row)
        front_of[row] = low
    place = front_of[where.reshape(-1)]
    return [np.flatnonzero(place == number) for number in range(len(members))]


def crowding(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the neighbours of each point of a front lie apart.

    In each objective the points at its ends get infinity, and every other one the distance
    between the two beside it, as a share of the whole range; an objective that is the same
    everywhere, or without end, counts nothing between its ends.

    Args:
        points: The points of one front, shape ``(points, objectives)``.

    Returns:
        Shape ``(points,)``.
    """
    distance = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        ascending = column[order]
        with np.errstate(invalid="ignore"):
            span = ascending[-1] - ascending[0]
        if np.isfinite(span) and span > 0.0:
            distance[order[1:-1]] += (ascending[2:] - ascending[:-2]) / span
        distance[order[[0, -1]]] = np.inf
    return distance


def hypervolume(points: Sequence[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Return the area that points dominate up to a reference point, in two objectives.

    Args:
        points: Less is better; those that are not better than the reference in both
            objectives add nothing.
        reference: The corner that the area ends in.

    Raises:
        SearchError: A point has not two objectives.
    """
    if any(len(point) != 2 for point in (*points, reference)):
        raise SearchError(
            "the hypervolume is known for two objectives.",
            where=f"hypervolume(…, reference={reference})",
            fix="give two numbers a point.",
        )
    inside = sorted({p for p in points if p[0] < reference[0] and p[1] < reference[1]})
    lowest, corners = reference[1], []
    for x, y in inside:
        if y < lowest:
            corners.append((x, y))
            lowest = y
    edges = [*corners, (reference[0], 0.0)]
    return sum((right[0] - x) * (reference[1] - y) for (x, y), right in pairwise(edges))


def _by_front(trials: list[int], merits: Mapping[int, Merit]) -> list[int]:
    """Rank trials that keep all limits."""
    if not trials:
        return []
    points = _points(trials, merits)
    if points.shape[1] == 1:
        return [trials[row] for row in np.argsort(points[:, 0], kind="stable")]
    best_first: list[int] = []
    for rows in fronts(points):
        sparse_first = np.argsort(-crowding(points[rows]), kind="stable")
        best_first += [trials[row] for row in rows[sparse_first]]
    return best_first


def _points(trials: Sequence[int], merits: Mapping[int, Merit]) -> NDArray[np.float64]:
    return np.array([merits[trial].badness for trial in trials], dtype=np.float64)
