"""Which rows go to which part, whatever the task."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes.draws import Purpose, fold
from ripieno.recipes.splits import Label, check_shares, stratified_split
from ripieno.recipes.tasks import TaskName

__all__ = ["divide_rows", "multilabel_parts", "multilabel_split", "random_split"]


def divide_rows(
    y: NDArray[np.generic],
    shares: Sequence[float],
    *,
    task: TaskName,
    seed: int,
    names: Sequence[Label],
    where: str,
) -> list[NDArray[np.int64]]:
    """Divide rows so that the parts are alike.

    Args:
        y: Classes ``(rows,)``, labels ``(rows, labels)`` or values of the targets.
        shares: Share of all rows for each part but the first, which gets the rest.
        task: The task: classes and labels are spread over the parts in proportion.
        seed: The split depends on it and on ``y`` alone.
        names: Names of the classes, for messages.
        where: Where the data come from, for messages.

    Returns:
        Row numbers of each part, ascending.

    Raises:
        DataError: The shares leave no rest, or there are too few rows.
    """
    if task == "classification":
        classes = y.astype(np.int64, copy=False)
        return stratified_split(classes, shares, seed=seed, names=names, where=where)
    check_shares(shares, where)
    if len(y) < len(shares) + 1:
        raise DataError(
            f"there are {len(y)} rows, and a split into {len(shares) + 1} parts needs one each.",
            where=where,
            fix="add rows.",
        )
    if task == "regression":
        return random_split(len(y), shares, seed=seed)
    return multilabel_split(y.astype(np.int64, copy=False), shares, seed=seed)


def random_split(rows: int, shares: Sequence[float], *, seed: int) -> list[NDArray[np.int64]]:
    """Divide rows by lot; no part is empty."""
    order = np.random.default_rng(fold(seed, Purpose.SPLIT)).permutation(rows)
    sizes = _sizes(rows, shares)
    ends = np.cumsum(sizes)[:-1]
    return [np.sort(part).astype(np.int64) for part in np.split(order, ends)]


def multilabel_split(
    y: NDArray[np.int64], shares: Sequence[float], *, seed: int
) -> list[NDArray[np.int64]]:
    """Divide rows so that every label is spread over the parts in proportion.

    Args:
        y: 0 and 1, shape ``(rows, labels)``.
        shares: Share of all rows for each part but the first.
        seed: The split depends on it and on ``y`` alone.
    """
    rng = np.random.default_rng(fold(seed, Purpose.SPLIT))
    return multilabel_parts(y, _sizes(len(y), shares), rng=rng)


def multilabel_parts(
    y: NDArray[np.int64], sizes: Sequence[int], *, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Divide rows into parts of about these sizes, every label spread in proportion.

    The label with the fewest rows left comes first: each of its rows goes to the part that
    lacks most of the label, then to the one that lacks most rows.

    Source: Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data",
    ECML PKDD 2011.

    Args:
        y: 0 and 1, shape ``(rows, labels)``.
        sizes: Rows of each part, of sum ``rows``.
        rng: Says the order in which rows are placed.

    Returns:
        Row numbers of each part, ascending; none is empty.
    """
    lacking_rows = np.array(sizes, dtype=np.float64)
    lacking = lacking_rows[:, None] / len(y) * y.sum(axis=0)
    place = np.full(len(y), -1)
    while True:
        counts = y[place < 0].sum(axis=0)
        if not counts.any():
            break
        label = int(np.where(counts > 0, counts, len(y) + 1).argmin())
        for row in rng.permutation(np.flatnonzero((place < 0) & (y[:, label] == 1))):
            # Rows decide among parts that lack the label alike; the first part among those.
            part = int(np.lexsort((-lacking_rows, -lacking[:, label]))[0])
            place[row] = part
            lacking[part] -= y[row]
            lacking_rows[part] -= 1
    for row in rng.permutation(np.flatnonzero(place < 0)):
        part = int(lacking_rows.argmax())
        place[row] = part
        lacking_rows[part] -= 1
    _fill_empty(place, parts=len(sizes), rng=rng)
    return [np.flatnonzero(place == part) for part in range(len(sizes))]


def _fill_empty(place: NDArray[np.int64], *, parts: int, rng: np.random.Generator) -> None:
    """Give a part without rows one of the largest part's."""
    for part in range(parts):
        if not (place == part).any():
            largest = int(np.bincount(place, minlength=parts).argmax())
            place[rng.choice(np.flatnonzero(place == largest))] = part


def _sizes(rows: int, shares: Sequence[float]) -> list[int]:
    """Rows of each part; none is empty."""
    counts = [max(1, round(rows * share)) for share in shares]
    while sum(counts) >= rows:
        counts[counts.index(max(counts))] -= 1
    return [rows - sum(counts), *counts]
