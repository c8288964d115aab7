"""Splits by group, so that no group is in two parts, and by time, so that the latest are tested."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes.draws import Purpose, fold
from ripieno.recipes.tables import as_array, category_texts, is_absent

__all__ = ["Dividing", "divide_by", "fold_groups"]


@dataclass(frozen=True, slots=True, eq=False)
class Dividing:
    """What decides which rows may be in different parts; at most one of the two.

    Args:
        groups: One value a row; rows with equal values stay together.
        time: One number, date or text of a date a row; later parts get later rows.

    Raises:
        DataError: Both are given.
    """

    groups: NDArray[np.generic] | None = None
    time: NDArray[np.generic] | None = None

    def __post_init__(self) -> None:
        if self.groups is not None and self.time is not None:
            raise DataError(
                "groups and time are both given.",
                where="the split",
                fix="split by one of them; groups that end before others begin are split by time.",
            )

    @classmethod
    def of(cls, groups: Any, time: Any) -> "Dividing":
        """Take arrays, tensors, lists or pandas series."""
        return cls(
            groups=None if groups is None else as_array(groups),
            time=None if time is None else as_array(time),
        )

    def __bool__(self) -> bool:
        return self.groups is not None or self.time is not None


def divide_by(
    by: Dividing, y: NDArray[Any], shares: Sequence[float], *, seed: int, where: str
) -> list[NDArray[np.int64]]:
    """Divide rows by group or by time.

    Args:
        by: The groups or the times.
        y: Targets, shape ``(rows, ...)``. Where they are numbers of classes, int64
            ``(rows,)``, groups are dealt out so that the parts resemble each other.
        shares: Share of all rows for each part but the first, which gets the rest. By time,
            the first part is the earliest and the last one the latest.
        seed: Which groups go where depends on it, on ``y`` and on the groups alone.
        where: Where the data come from, for messages.

    Returns:
        Row numbers of each part, ascending; none is empty.

    Raises:
        DataError: Groups or times are missing somewhere, of another length, or too few; or a
            class has no row in the training part.
    """
    values = by.groups if by.groups is not None else by.time
    assert values is not None  # noqa: S101 - a dividing that is true holds one of them
    name = "groups" if by.groups is not None else "time"
    if values.shape != (len(y),):
        raise DataError(
            f"{name} has the shape {values.shape}, and there are {len(y)} rows.",
            where=where,
            fix="give one value a row.",
        )
    if min(shares) <= 0.0 or sum(shares) >= 1.0:
        raise DataError(
            f"shares of {', '.join(f'{share:g}' for share in shares)} cannot be split off.",
            where=where,
            fix="give shares above 0 that leave a rest for training, such as 0.2.",
        )
    classes = _class_counts(y)
    if by.groups is not None:
        numbers = _group_numbers(by.groups, where)
        parts = _deal(numbers, classes, shares, seed=seed, where=where)
    else:
        parts = _cut(_instants(values, where), shares, where=where)
    _refuse_unseen(classes, parts, name=name, where=where)
    return parts


def fold_groups(
    groups: NDArray[np.generic], y: NDArray[Any], folds: int, *, seed: int, where: str
) -> tuple[NDArray[np.int64], ...]:
    """Divide rows into folds of about equal size, no group in two of them.

    Args and errors are those of :func:`divide_by`.

    Returns:
        Row numbers of each fold, ascending.
    """
    classes = _class_counts(y)
    shares = [1.0 / folds] * (folds - 1)
    numbers = _group_numbers(groups, where)
    parts = _deal(numbers, classes, shares, seed=seed, where=where)
    for part in parts:
        _refuse_unseen(classes, [np.delete(np.arange(len(y)), part)], name="groups", where=where)
    return tuple(parts)


def _class_counts(y: NDArray[Any]) -> NDArray[np.int64]:
    """One column a class with ones where a row is of it; a single column without classes."""
    if y.ndim == 1 and y.dtype.kind == "i":
        counts: NDArray[np.int64] = np.eye(int(y.max()) + 1, dtype=np.int64)[y]
        return counts
    return np.ones((len(y), 1), dtype=np.int64)


def _group_numbers(groups: NDArray[np.generic], where: str) -> NDArray[np.int64]:
    texts = category_texts(groups)
    absent = is_absent(texts)
    _refuse_missing(absent, "group", where)
    _, numbers = np.unique(texts.astype(str), return_inverse=True)
    return numbers.astype(np.int64)


def _deal(
    groups: NDArray[np.int64],
    classes: NDArray[np.int64],
    shares: Sequence[float],
    *,
    seed: int,
    where: str,
) -> list[NDArray[np.int64]]:
    """Give each group to the part that lacks its rows most, the largest groups first."""
    count = int(groups.max()) + 1
    wanted = np.array([1.0 - sum(shares), *shares])
    if count < len(wanted):
        raise DataError(
            f"there {'is 1 group' if count == 1 else f'are {count} groups'}, "
            f"and a split into {len(wanted)} parts needs {len(wanted)}.",
            where=where,
            fix="give more groups, or split without them.",
        )
    sizes = np.zeros((count, classes.shape[1]))
    np.add.at(sizes, groups, classes)
    order = np.random.default_rng(fold(seed, Purpose.SPLIT)).permutation(count)
    order = order[np.argsort(-sizes[order].sum(1), kind="stable")]
    # What each part is to hold of each class, as shares of that class.
    target = wanted[:, None] * np.ones(classes.shape[1])
    relative = sizes / np.maximum(sizes.sum(0), 1)
    held = np.zeros_like(target)
    owner = np.empty(count, dtype=np.int64)
    for turn, group in enumerate(order):
        lacking = ((target - held) / wanted[:, None] * relative[group]).sum(1)
        empty = held.sum(1) == 0.0
        if count - turn <= empty.sum():
            lacking[~empty] = -np.inf  # the last groups are for the parts without any
        owner[group] = int(lacking.argmax())
        held[owner[group]] += relative[group]
    return [np.flatnonzero(owner[groups] == part) for part in range(len(wanted))]


def _cut(
    instants: NDArray[np.generic], shares: Sequence[float], *, where: str
) -> list[NDArray[np.int64]]:
    """Cut the rows at instants; rows of one instant stay on one side."""
    order = np.argsort(instants, kind="stable")
    ordered = instants[order]
    later = np.cumsum(shares[::-1])[::-1]
    wanted = [round(len(order) * (1.0 - share)) for share in later]
    cuts = [int(np.searchsorted(ordered, ordered[min(cut, len(ordered) - 1)])) for cut in wanted]
    parts = [np.sort(part).astype(np.int64) for part in np.split(order, cuts)]
    if not all(map(len, parts)):
        raise DataError(
            f"the {len(np.unique(instants))} different times cannot be cut into "
            f"{len(parts)} parts near the shares "
            f"{', '.join(f'{share:g}' for share in shares)}.",
            where=where,
            fix="give a finer time, or other shares.",
        )
    return parts


def _instants(values: NDArray[np.generic], where: str) -> NDArray[np.generic]:
    if values.dtype.kind in "biuf":
        _refuse_missing(np.isnan(values.astype(np.float64)), "time", where)
        return values
    if values.dtype.kind == "M":
        _refuse_missing(np.isnat(values), "time", where)
        return values
    return _parsed(values, where)


def _parsed(values: NDArray[np.generic], where: str) -> NDArray[np.generic]:
    """Read texts as numbers or as dates."""
    import pandas as pd

    series = pd.Series(values.astype(object))
    _refuse_missing(np.asarray(series.isna()), "time", where)
    try:
        return np.asarray(pd.to_numeric(series), dtype=np.float64)
    except (ValueError, TypeError):
        pass  # then they are dates
    try:
        return np.asarray(pd.to_datetime(series, format="ISO8601", utc=True).astype("int64"))
    except (ValueError, TypeError) as error:
        odd = str(error).splitlines()[0].rstrip(".")
        raise DataError(
            f"the times cannot be put in order: {odd}.",
            where=where,
            fix="write them as numbers or as dates like 2024-01-31 (or 2024-01-31 12:00).",
        ) from error


def _refuse_missing(missing: NDArray[np.bool_], what: str, where: str) -> None:
    if missing.any():
        raise DataError(
            f"the {what} is missing in {int(missing.sum())} of {len(missing)} rows, "
            f"first in row {int(missing.argmax()) + 1}.",
            where=where,
            fix=f"give every row a {what}, or drop the rows without one.",
        )


def _refuse_unseen(
    classes: NDArray[np.int64], parts: Sequence[NDArray[np.int64]], *, name: str, where: str
) -> None:
    unseen = int((classes[parts[0]].sum(0) == 0).sum())
    if unseen:
        raise DataError(
            f"the split by {name} leaves {unseen} of {classes.shape[1]} classes without a row in "
            "the training part.",
            where=where,
            fix="drop or merge the classes that occur in few groups or only late, "
            "or split another way.",
        )
