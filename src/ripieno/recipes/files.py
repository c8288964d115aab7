"""CSV and NPZ files as arrays, with every way in which they can be wrong said in words."""

import csv
import difflib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "check_numbers",
    "column",
    "feature_matrix",
    "first_key",
    "read_csv",
    "read_npz",
    "suffix",
]

_SUFFIXES = (".csv", ".npz")


def suffix(path: Path) -> str:
    """Return ``".csv"`` or ``".npz"`` for a file that is there.

    Raises:
        DataError: The file is missing, no file, or of another kind.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise DataError(
            f"{path.name!r} is of no kind that can be read.",
            where=str(path),
            fix=f"give a file that ends in {' or '.join(_SUFFIXES)}.",
        )
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(
            f"the file {path.name!r} {problem}.",
            where=str(path.absolute().parent),
            fix="check the path." + _closest(path.name, _neighbours(path)),
        )
    return path.suffix.lower()


def _neighbours(path: Path) -> list[str]:
    folder = path.absolute().parent
    return [item.name for item in folder.iterdir()] if folder.is_dir() else []


def _closest(name: str, choices: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, choices, n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


def read_npz(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of an ``.npz`` file; nothing is unpickled.

    Raises:
        DataError: The file is damaged, of another kind, or holds Python objects.
    """
    try:
        # Opened here, because numpy leaves the file open when it is no archive.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it is a single array (.npy)")  # noqa: TRY004, TRY301
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        pickled = "pickle" in str(error)
        raise DataError(
            f"{path.name!r} holds Python objects."
            if pickled and zipfile.is_zipfile(path)
            else f"{path.name!r} is not a readable .npz file: {error}.",
            where=str(path),
            fix="store plain numbers and strings with numpy.savez; pickled objects are not read.",
        ) from error


def first_key(arrays: dict[str, NDArray[np.generic]], keys: Sequence[str], path: Path) -> str:
    """Return the first of the keys that the file holds.

    Raises:
        DataError: It holds none of them.
    """
    for key in keys:
        if key in arrays:
            return key
    raise DataError(
        f"{path.name!r} holds no array {' or '.join(map(repr, keys))}.",
        where=f"{path}: {', '.join(sorted(arrays)) or 'empty'}",
        fix=f"name the array {keys[0]!r}: numpy.savez(path, {keys[0]}=…)."
        + _closest(keys[0], list(arrays)),
    )


def read_csv(path: Path) -> "pd.DataFrame":
    """Return the table of a CSV file with a header line, comma-separated, UTF-8.

    Raises:
        DataError: The file is empty, damaged, not text, or names a column twice.
    """
    import pandas as pd

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
        _refuse_duplicates(header, path)
        table = pd.read_csv(path, encoding="utf-8-sig", index_col=False)
    except (OSError, UnicodeError, csv.Error, pd.errors.EmptyDataError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path.name!r} cannot be read as CSV: {error}.".replace("\n", " "),
            where=str(path),
            fix="give comma-separated UTF-8 text whose first line names the columns.",
        ) from error
    if table.empty:
        raise DataError(
            f"{path.name!r} holds no rows.",
            where=str(path),
            fix="give a file with a header line and one line an example.",
        )
    return table


def _refuse_duplicates(header: list[str], path: Path) -> None:
    # pandas would rename the second one, and a target could be the wrong one of two.
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(
            f"the column {twice[0]!r} stands {header.count(twice[0])} times in the header.",
            where=str(path),
            fix="name every column once.",
        )


def column(table: "pd.DataFrame", name: str, path: Path) -> NDArray[np.generic]:
    """Return the values of one column.

    Raises:
        DataError: There is no such column.
    """
    names = [str(c) for c in table.columns]
    if name not in names:
        raise DataError(
            f"there is no column {name!r}.",
            where=f"{path}: {', '.join(names)}",
            fix="name one of the columns as the target." + _closest(name, names),
        )
    values = table[name]
    numeric = values.dtype.kind in "biuf"
    return np.asarray(values.to_numpy() if numeric else values.to_numpy(dtype=object))


def feature_matrix(
    table: "pd.DataFrame", columns: Sequence[str], where: str
) -> NDArray[np.float64]:
    """Return the columns, in this order, as float64, shape ``(rows, features)``.

    Raises:
        DataError: A column is missing, holds text, or is not finite somewhere.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise DataError(
            f"the feature column{'s' if len(missing) > 1 else ''} "
            f"{_quoted(missing)} {'are' if len(missing) > 1 else 'is'} missing.",
            where=where,
            fix="give every column that the model was trained on."
            + _closest(missing[0], [str(c) for c in table.columns]),
        )
    if not columns:
        raise DataError(
            "no column is left for the features.",
            where=where,
            fix="give at least one numeric column beside the target.",
        )
    features = table[list(columns)]
    _refuse_text(features, where)
    matrix: NDArray[np.float64] = features.to_numpy(dtype=np.float64)
    check_numbers(matrix, names=tuple(columns), where=where)
    return matrix


def _refuse_text(features: "pd.DataFrame", where: str) -> None:
    text = [str(name) for name in features if features[name].dtype.kind not in "biuf"]
    if not text:
        return
    values = features[text[0]].dropna()
    example = f" (for example {str(values.iloc[0])[:40]!r})" if len(values) else ""
    raise DataError(
        f"the column{'s' if len(text) > 1 else ''} {_quoted(text)} "
        f"{'hold' if len(text) > 1 else 'holds'} text{example}, "
        "and text columns are not read yet.",
        where=where,
        fix="drop such columns or write them as numbers (pandas.get_dummies, for example).",
    )


def check_numbers(x: NDArray[np.generic], *, names: tuple[str, ...] | None, where: str) -> None:
    """Refuse features that are not finite numbers, of which float32 can hold every one.

    Args:
        x: Shape ``(rows, *features)``.
        names: Names of the columns of a table.
        where: Where the features come from.

    Raises:
        DataError: There are no rows, no features, another type, or NaN or infinity.
    """
    if x.ndim < 2 or x.size == 0:
        raise DataError(
            f"features of shape {x.shape} cannot be trained on.",
            where=where,
            fix="give an array (rows, features) or (rows, height, width) with rows in it.",
        )
    if x.dtype.kind not in "biuf":
        raise DataError(
            f"features of type {x.dtype} are not numbers.",
            where=where,
            fix="give an array of integers, floats or booleans.",
        )
    if x.dtype.kind != "f":
        return
    largest = np.finfo(np.float32).max
    # One row at a time would be slow, all at once would double the memory of images.
    flags = [np.abs(part) <= largest for part in np.array_split(x, max(1, len(x) // 4096))]
    if all(flag.all() for flag in flags):
        return
    bad = ~np.concatenate(flags)
    rows = bad.reshape(len(bad), -1).any(axis=1)
    named = ""
    if x.ndim == 2:
        hit = np.flatnonzero(bad.any(axis=0))
        found = [names[i] if names else f"column {i}" for i in hit]
        named = f" in {_quoted(found) if names else ', '.join(found[:5])}"
    raise DataError(
        f"{int(bad.sum())} feature values are NaN, infinite or too large{named}, "
        f"first in row {int(rows.argmax()) + 1}.",
        where=where,
        fix="fill the missing values or drop those rows or columns.",
    )


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
