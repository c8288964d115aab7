"""Labels as classes, and the stratified split into training, validation and test part."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes.draws import Purpose, fold

__all__ = [
    "Label",
    "as_labels",
    "check_shares",
    "class_names",
    "encode_labels",
    "refuse_missing",
    "stratified_split",
]

Label = str | int | float | bool
"""The name of a class, as the data spell it."""

_MOST_REAL_CLASSES = 20


def as_labels(y: NDArray[np.generic], where: str) -> NDArray[np.generic]:
    """Return the targets as one label a row; whole floats become integers.

    Raises:
        DataError: They are of more axes, empty, missing somewhere or no labels at all.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(
            f"the targets have shape {y.shape}, and one label a row is needed.",
            where=where,
            fix="pass a vector of labels; for one-hot rows that is y.argmax(1).",
        )
    if y.dtype.kind == "O":
        y = _from_objects(y, where)
    if y.dtype.kind == "f":
        refuse_missing(~np.isfinite(y), where)
        if (y == np.floor(y)).all() and (np.abs(y) < 2**53).all():
            return y.astype(np.int64)
    if y.dtype.kind not in "biufU":
        raise DataError(
            f"targets of type {y.dtype} are no labels.",
            where=where,
            fix="pass strings, integers or booleans, one a row.",
        )
    return y


def _from_objects(y: NDArray[np.generic], where: str) -> NDArray[np.generic]:
    values: list[object] = y.tolist()
    # NaN is the one value that differs from itself.
    refuse_missing(np.array([v is None or v != v for v in values], dtype=bool), where)  # noqa: PLR0124
    kinds = {type(value) for value in values}
    if kinds <= {str} or kinds <= {bool} or kinds <= {int, float}:
        return np.array(values)
    raise DataError(
        f"the targets mix {' and '.join(sorted(kind.__name__ for kind in kinds))}.",
        where=where,
        fix="give all labels one type, for example by str(label).",
    )


def refuse_missing(missing: NDArray[np.bool_], where: str) -> None:
    """Refuse rows without a target.

    Raises:
        DataError: One is missing.
    """
    if missing.any():
        raise DataError(
            f"the target is missing in {int(missing.sum())} of {len(missing)} rows, "
            f"first in row {int(missing.argmax()) + 1}.",
            where=where,
            fix="drop the rows without a target.",
        )


def class_names(y: NDArray[np.generic], where: str) -> tuple[Label, ...]:
    """Return the classes among the labels, ascending.

    Raises:
        DataError: There is one class only, or the labels look like measurements.
    """
    names = np.unique(y)
    many = max(_MOST_REAL_CLASSES, len(y) // 3)
    if len(names) > (_MOST_REAL_CLASSES if y.dtype.kind == "f" else many):
        raise DataError(
            f"the target holds {len(names)} different values in {len(y)} rows, "
            "which looks like a measurement.",
            where=where,
            fix="name a target with a few classes"
            + (", or say task='regression'." if y.dtype.kind in "iuf" else "."),
        )
    if len(names) < 2:
        raise DataError(
            f"every row is of the class {names.tolist()[0]!r}.",
            where=where,
            fix="give data with at least two classes.",
        )
    return tuple(names.tolist())


def encode_labels(
    y: NDArray[np.generic], classes: Sequence[Label], where: str
) -> NDArray[np.int64]:
    """Return the number of each row's class, int64, shape ``(rows,)``.

    Raises:
        DataError: A label is none of the classes.
    """
    names = np.array(classes)
    # Compared with text, NumPy would turn the number 1 into "1".
    comparable = (y.dtype.kind == "U") == (names.dtype.kind == "U")
    known = np.isin(y, names) if comparable else np.zeros(len(y), dtype=bool)
    if not known.all():
        raise DataError(
            f"the label {y[~known].tolist()[0]!r} is none of the {len(names)} training classes.",
            where=where,
            fix="give every class to the training part, or drop the rows of the others.",
        )
    return np.searchsorted(names, y).astype(np.int64)


def stratified_split(
    y: NDArray[np.int64],
    shares: Sequence[float],
    *,
    seed: int,
    names: Sequence[Label],
    where: str,
) -> list[NDArray[np.int64]]:
    """Divide rows so that every part has the classes in equal proportion.

    Args:
        y: Classes, shape ``(rows,)``.
        shares: Share of all rows for each part but the first, which gets the rest.
        seed: The split depends on it and on ``y`` alone.
        names: Names of the classes, for messages.
        where: Where the data come from, for messages.

    Returns:
        Row numbers of each part, ascending; at least one row of every class in each.

    Raises:
        DataError: The shares leave no rest, or a class has fewer rows than there are parts.
    """
    check_shares(shares, where)
    rng = np.random.default_rng(fold(seed, Purpose.SPLIT))
    parts: list[list[NDArray[np.int64]]] = [[] for _ in range(len(shares) + 1)]
    for number, name in enumerate(names):
        rows = rng.permutation(np.flatnonzero(y == number))
        if len(rows) < len(parts):
            raise DataError(
                f"the class {name!r} has {len(rows)} {'row' if len(rows) == 1 else 'rows'}, "
                f"and a split into {len(parts)} parts needs {len(parts)}.",
                where=where,
                fix="add rows of this class, drop it, or merge it with another one"
                + _if_measured(names),
            )
        counts = _counts(len(rows), shares)
        ends = np.cumsum([len(rows) - sum(counts), *counts])
        for part, piece in zip(parts, np.split(rows, ends[:-1]), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def _if_measured(names: Sequence[Label]) -> str:
    many = len(names) > _MOST_REAL_CLASSES and not isinstance(names[0], str)
    return "; if it is a measurement, say task='regression'." if many else "."


def check_shares(shares: Sequence[float], where: str) -> None:
    """Refuse shares that leave no rest, or nothing for a part.

    Raises:
        DataError: They do.
    """
    if min(shares) <= 0.0 or sum(shares) >= 1.0:
        raise DataError(
            f"shares of {', '.join(f'{share:g}' for share in shares)} cannot be split off.",
            where=where,
            fix="give shares above 0 that leave a rest for training, such as 0.2.",
        )


def _counts(rows: int, shares: Sequence[float]) -> list[int]:
    """Rows of one class for each part but the first; none empty, the first one neither."""
    counts = [max(1, round(rows * share)) for share in shares]
    while sum(counts) >= rows:
        counts[counts.index(max(counts))] -= 1
    return counts
