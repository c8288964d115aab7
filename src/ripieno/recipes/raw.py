"""What users hold in memory, as raw rows: arrays, tensors and pandas tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes import frames
from ripieno.recipes.encoding import as_kind
from ripieno.recipes.inspection import column_kinds
from ripieno.recipes.preprocess import Raw
from ripieno.recipes.tables import NumericTransform, Table, as_array, check_transform

__all__ = ["is_frame", "raw_rows"]


def is_frame(x: object) -> bool:
    """Say whether it is a pandas DataFrame; pandas is not imported to know it."""
    return hasattr(x, "columns") and hasattr(x, "iloc")


def raw_rows(
    *parts: Any,
    categorical: Sequence[int] | Sequence[bool] | Sequence[str] | NDArray[np.generic] = (),
    numeric: NumericTransform = "standardize",
    names: Sequence[str] | None = None,
    where: str,
) -> tuple[Raw, ...]:
    """Return features as raw rows, all parts of one kind.

    A two-axis array is a table where it has categorical columns or missing values (NaN), or
    is to be scaled by quantiles; every other array stays one.

    Args:
        parts: Features of each part: arrays, tensors, or DataFrames with the same columns.
        categorical: Columns that hold categories: their names, their numbers, or one boolean
            a column.
        numeric: How numeric columns are scaled.
        names: Names of an array's columns.
        where: Where they come from.

    Raises:
        DataError: A column cannot be used, or is named and not there.
    """
    check_transform(numeric)
    if any(map(is_frame, parts)):
        first = parts[0]
        kinds = column_kinds(first, categorical=[str(name) for name in categorical], where=where)
        return tuple(frames.table_of(part, kinds, where=where, numeric=numeric) for part in parts)
    arrays = tuple(map(as_array, parts))
    flags = _flags(categorical, arrays[0], where, names=names)
    flat = all(array.ndim == 2 and array.dtype.kind in "biuf" for array in arrays)
    gaps = flat and any(array.dtype.kind == "f" and np.isnan(array).any() for array in arrays)
    if not flat or not (any(flags) or gaps or numeric != "standardize"):
        return arrays
    return tuple(
        _table(array, flags, numeric=numeric, names=names, where=where) for array in arrays
    )


def _flags(
    categorical: Sequence[object] | NDArray[np.generic],
    array: NDArray[np.generic],
    where: str,
    *,
    names: Sequence[str] | None,
) -> list[bool]:
    """One boolean a column: whether it holds categories."""
    given = np.asarray(categorical)
    columns = array.shape[1] if array.ndim == 2 else 0
    if not given.size:
        return [False] * columns
    if given.dtype.kind == "b" and given.shape == (columns,):
        return [bool(flag) for flag in given]
    known = list(names or ())
    numbers = [known.index(n) if n in known else n for n in given.ravel().tolist()]
    if given.dtype.kind == "b" or not all(
        isinstance(number, int) and 0 <= number < columns for number in numbers
    ):
        raise DataError(
            f"categorical = {given.tolist()!r} does not name columns of features of shape "
            f"{array.shape}.",
            where=where,
            fix="give the numbers of the columns (0 is the first), or one boolean a column.",
        )
    return [column in set(numbers) for column in range(columns)]


def _table(
    array: NDArray[np.generic],
    flags: Sequence[bool],
    *,
    numeric: NumericTransform,
    names: Sequence[str] | None,
    where: str,
) -> Table:
    if array.shape[1] != len(flags):
        raise DataError(
            f"the test part has {array.shape[1]} columns, and the training part {len(flags)}.",
            where=where,
            fix="give the same columns to every part.",
        )
    called = tuple(names or (f"column {i}" for i in range(len(flags))))
    columns = [
        as_kind(array[:, i], called[i], categorical=flag, where=where)
        for i, flag in enumerate(flags)
    ]
    return Table(called, tuple(columns), numeric)
