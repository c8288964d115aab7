"""Cross-validation: the rows that a search may see, as stratified folds."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes.draws import Purpose, fold
from ripieno.recipes.encoding import TableEncoder
from ripieno.recipes.grouping import Dividing, divide_by, fold_groups
from ripieno.recipes.parts import divide_rows, multilabel_parts
from ripieno.recipes.preprocess import Raw
from ripieno.recipes.splits import Label
from ripieno.recipes.streams import DatasetRows
from ripieno.recipes.tables import Table
from ripieno.recipes.tasks import TaskName

if TYPE_CHECKING:
    from ripieno.recipes.data import Data

__all__ = ["Folds", "check_foldable", "check_folds", "fold_rows", "in_folds", "stratified_folds"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Folds:
    """The search part (all rows but the test part) as folds.

    Args:
        parts: One ordinary data set a fold: this fold is its validation part, the other folds
            are its training part, which alone its preprocessing was fitted on.
        rows: Each fold's rows of the search part, int64, ascending; every row is in one fold.
        targets: Targets of the search part in row order, as a split holds them.
    """

    parts: tuple["Data", ...]
    rows: tuple[Rows, ...]
    targets: NDArray[Any]

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        return f"Folds({len(self)} folds of {len(self.targets)} rows)"

    @property
    def epoch_rows(self) -> int:
        """Rows of one epoch: those of the smallest training part.

        Sizes differ by one row where the folds do not divide the rows. With epochs of equal
        size all models take equally many steps; the larger parts' epochs go on in the pass
        through their rows where the last one stopped.
        """
        return min(len(part.train) for part in self.parts)

    def out_of_fold(self, answers: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Put what was said of each fold's rows into the order of the search part.

        Args:
            answers: One array a fold, shape ``(rows of the fold, ...)``.
        """
        joined = np.concatenate(answers)
        ordered = np.empty_like(joined)
        ordered[np.concatenate(self.rows)] = joined
        return ordered


def check_folds(folds: int, where: str) -> None:
    """Refuse a number of folds that says nothing; 1 is the ordinary split.

    Raises:
        DataError: It is no whole number, or below 1.
    """
    if type(folds) is not int or folds < 1:
        raise DataError(
            f"folds = {folds!r} divides nothing: cross-validation needs at least 2 folds.",
            where=where,
            fix="give 2 or more, such as 5; 1 is a single training and validation part.",
        )


def check_foldable(x: Raw, *, given: bool, by: Dividing | None, where: str) -> None:
    """Refuse what cannot be divided into folds.

    Args:
        x: Raw features.
        given: Whether a validation part is given.
        by: What decides which rows are in different parts.
        where: Where the data come from, for messages.

    Raises:
        DataError: Rows are read batch by batch, ordered by time, or validated elsewhere.
    """
    reasons = {
        "a given validation part": given,
        "a split by time": by is not None and by.time is not None,
        "a dataset that is read batch by batch": isinstance(x, DatasetRows),
    }
    for reason in (reason for reason, holds in reasons.items() if holds):
        raise DataError(
            f"folds are asked for, and {reason} has none.",
            where=where,
            fix="leave the folds out, or divide the rows another way.",
        )


def in_folds(
    divide: Callable[[Raw, Sequence[Rows]], "Data"],
    x: Raw,
    y: NDArray[Any],
    *,
    by: Dividing | None = None,
    task: TaskName,
    folds: int,
    test_share: float,
    test: Raw | None = None,
    seed: int,
    names: Sequence[Label],
    where: str,
) -> "Data":
    """Return data whose search part is divided into folds.

    Apart from its ``folds`` it is the data of the first fold, so that what knows nothing of
    folds trains and validates on disjoint rows. The test part is that of a single split.

    Args:
        divide: Makes data of raw features and of the row numbers of training, validation and
            (with a ``test_share``) test part.
        x: Raw features of all rows. Which features a table gives is decided by the whole
            search part, so that all folds give the same ones; what they are scaled with is
            learned fold by fold.
        y: Targets of all rows, as a split holds them.
        by: Groups, none of which is in two folds; None divides by the targets.
        task: What the targets are.
        folds: How many, at least 2.
        test_share: Share of the rows that is no part of the search; 0 for none.
        test: Raw features of a given test part.
        seed: The folds depend on it and on ``y`` alone.
        names: Names of the classes, for messages.
        where: Where the data come from, for messages.

    Raises:
        DataError: A class has fewer rows than there are folds.
    """
    kept = [np.arange(len(y))]
    if test_share != 0.0:
        if by:
            kept = divide_by(by, y, [test_share], seed=seed, where=where)
        else:
            kept = divide_rows(y, [test_share], task=task, seed=seed, names=names, where=where)
        test = x[kept[1]]
    search = kept[0]
    if isinstance(x, Table):
        x = replace(x, layout=TableEncoder.fit(x[search]))
    if by and by.groups is not None:
        rows = fold_groups(by.groups[search], y[search], folds, seed=seed, where=where)
    else:
        rows = fold_rows(y[search], folds, task=task, seed=seed, names=names, where=where)
    parts = tuple(divide(x, [np.delete(search, held), search[held], *kept[1:]]) for held in rows)
    _check_shapes(parts, where)
    first = parts[0]
    return replace(
        first,
        test=None if first.test is None else replace(first.test, raw=test),
        fingerprint=_fingerprint(search, y[search], rows),
        folds=Folds(parts, rows, y[search]),
    )


def fold_rows(
    y: NDArray[Any],
    folds: int,
    *,
    task: TaskName,
    seed: int,
    names: Sequence[Label],
    where: str,
) -> tuple[Rows, ...]:
    """Divide rows into folds that are alike, whatever the task.

    Args:
        y: Targets, as a split holds them.
        folds: How many.
        task: The task: classes and labels are spread over the folds in proportion.
        seed: The folds depend on it and on ``y`` alone.
        names: Names of the classes, for messages.
        where: Where the data come from, for messages.

    Raises:
        DataError: A class has fewer rows than there are folds, or there are fewer rows.
    """
    if task == "classification":
        return stratified_folds(y, folds, seed=seed, names=names, where=where)
    if len(y) < folds:
        raise DataError(
            f"there are {len(y)} rows outside of the test part, and folds = {folds} needs {folds}.",
            where=where,
            fix="give fewer folds, or add rows.",
        )
    rng = np.random.default_rng(fold(seed, Purpose.SPLIT, folds))
    if task == "regression":
        dealt = rng.permutation(len(y))
        return tuple(np.sort(dealt[number::folds]) for number in range(folds))
    sizes = [len(y) // folds + (number < len(y) % folds) for number in range(folds)]
    return tuple(multilabel_parts(y, sizes, rng=rng))


def stratified_folds(
    y: NDArray[np.int64], folds: int, *, seed: int, names: Sequence[Label], where: str
) -> tuple[Rows, ...]:
    """Divide rows into folds of equal size that have the classes in equal proportion.

    Args:
        y: Classes, shape ``(rows,)``.
        folds: How many.
        seed: The folds depend on it and on ``y`` alone.
        names: Names of the classes, for messages.
        where: Where the data come from, for messages.

    Returns:
        Row numbers of each fold, ascending. Two folds differ by one row at most, in every
        class and in all.

    Raises:
        DataError: A class has fewer rows than there are folds.
    """
    rng = np.random.default_rng(fold(seed, Purpose.SPLIT, folds))
    shuffled = [rng.permutation(np.flatnonzero(y == number)) for number in range(len(names))]
    fewest = min(range(len(names)), key=lambda number: len(shuffled[number]))
    smallest = len(shuffled[fewest])
    if smallest < folds:
        raise DataError(
            f"the class {names[fewest]!r} has {smallest} {'row' if smallest == 1 else 'rows'} "
            f"outside of the test part, and folds = {folds} needs {folds}.",
            where=where,
            fix=(f"give at most {smallest} folds, or " if smallest > 1 else "")
            + "add rows of this class, drop it, or merge it with another one.",
        )
    # Dealt like cards, class after class, so that the folds of the rests are different ones.
    dealt = np.concatenate(shuffled)
    return tuple(np.sort(dealt[number::folds]) for number in range(folds))


def _check_shapes(parts: Sequence["Data"], where: str) -> None:
    for number, part in enumerate(parts):
        if part.shape != parts[0].shape:
            raise DataError(
                f"fold {number + 1} has rows of shape {part.shape}, and fold 1 of shape "
                f"{parts[0].shape}: its training rows lack values that the others hold.",
                where=where,
                fix="merge rare values into one, or give fewer folds.",
            )


def _fingerprint(search: Rows, y: NDArray[Any], rows: Sequence[Rows]) -> str:
    folds = np.empty(len(search), dtype=np.int64)
    for number, held in enumerate(rows):
        folds[held] = number
    digest = hashlib.sha256(b"folds")
    # Little-endian on every machine.
    for array in (search, y, folds):
        digest.update(np.ascontiguousarray(array, dtype=f"<{array.dtype.kind}8").tobytes())
    return digest.hexdigest()[:16]
