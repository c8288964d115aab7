"""Files as arrays, with every way in which they can be wrong said in words."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes.words import closest, quoted

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SUFFIXES",
    "check_numbers",
    "column",
    "first_key",
    "read_npz",
    "suffix",
]

SUFFIXES = (".csv", ".parquet", ".npz")
"""Endings of the files that are read, beside images."""


def suffix(path: Path) -> str:
    """Return the ending of a file that is there and of a kind that is read.

    Raises:
        DataError: The file is missing, no file, or of another kind.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{path.name!r} is of no kind that can be read.",
            where=str(path),
            fix=f"give a file that ends in {' or '.join(SUFFIXES)}, or a folder of images.",
        )
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(
            f"the file {path.name!r} {problem}.",
            where=str(path.absolute().parent),
            fix="check the path." + closest(path.name, _neighbours(path)),
        )
    return path.suffix.lower()


def _neighbours(path: Path) -> list[str]:
    folder = path.absolute().parent
    return [item.name for item in folder.iterdir()] if folder.is_dir() else []


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
        + closest(keys[0], list(arrays)),
    )


def column(table: "pd.DataFrame", name: str, where: Path | str) -> NDArray[np.generic]:
    """Return the values of one column.

    Raises:
        DataError: There is no such column.
    """
    names = [str(c) for c in table.columns]
    if name not in names:
        raise DataError(
            f"there is no column {name!r}.",
            where=f"{where}: {', '.join(names)}",
            fix="name one of the columns as the target." + closest(name, names),
        )
    values = table[name]
    if values.dtype.kind not in "biuf":
        return np.asarray(values.to_numpy(dtype=object, na_value=None))
    # pandas has types of whole numbers and booleans with gaps, which NumPy has not.
    gaps = values.dtype.kind == "f" or bool(values.isna().any())
    kind = np.dtype(np.float64 if gaps else f"{values.dtype.kind}{values.dtype.itemsize}")
    return np.asarray(values.to_numpy(dtype=kind, **({"na_value": np.nan} if gaps else {})))


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
        named = f" in {quoted(found) if names else ', '.join(found[:5])}"
    raise DataError(
        f"{int(bad.sum())} feature values are NaN, infinite or too large{named}, "
        f"first in row {int(rows.argmax()) + 1}.",
        where=where,
        fix="fill the missing values or drop those rows or columns.",
    )
