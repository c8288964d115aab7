"""Data by name, file, folder or table: ``digits``, ``.npz``, ``.csv``, ``.parquet``, images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes import files, frames, images
from ripieno.recipes.data import Data, divide
from ripieno.recipes.grouping import Dividing
from ripieno.recipes.inspection import column_kinds, require_columns
from ripieno.recipes.preprocess import Raw
from ripieno.recipes.reading import Reading
from ripieno.recipes.splits import Label
from ripieno.recipes.streams import open_dataset
from ripieno.recipes.tables import NumericTransform
from ripieno.recipes.target_columns import find_targets, read_target_columns

if TYPE_CHECKING:
    import pandas as pd
    from torch.utils.data import Dataset

__all__ = ["from_datasets", "from_frame", "load", "read"]

_COLUMNS = ("target", "groups", "time", "drop", "categorical")
_MEMORY = 2 * 2**30
"""Bytes of float32 features up to which a dataset is read into memory."""
_NO_COLUMNS = "only a table (.csv, .parquet) has columns"


def load(
    source: str | Path,
    *,
    target: str | Sequence[str] | None = None,
    groups: str | None = None,
    time: str | None = None,
    drop: str | Sequence[str] = (),
    categorical: str | Sequence[str] = (),
    numeric: NumericTransform | None = None,
    image_size: int | tuple[int, int] | None = None,
    folds: int = 1,
    seed: int = 0,
    task: str | None = None,
    scale_targets: bool = True,
) -> Data:
    """Read data and split them into a training, a validation and a test part.

    Args:
        source: ``"digits"`` (scikit-learn's 1,797 real handwritten images of 8 x 8 pixels);
            a ``.csv`` or ``.parquet`` file; a ``.npz`` file with ``x_train``, ``y_train`` and
            optionally ``x_val``, ``y_val``, ``x_test``, ``y_test`` and ``target_names`` (of
            labels or columns), or with a table ``X``, ``y`` and optionally ``is_cat``,
            ``is_test``, ``names`` and ``target_names``; or a folder of images, one sub-folder
            a class, perhaps below ``train``, ``val`` and ``test``.
        target: Name of a table's target column; where it is not given, the one column that
            is called target, label, class or y. Several names (a list, or one text with
            commas) are labels of which a row may have several, or a regression of several
            columns.
        groups: Name of a column; rows with equal values stay in one part.
        time: Name of a column; the latest rows are the validation and the test part.
        drop: Names of columns that are not read.
        categorical: Names of columns that hold categories, whatever they look like.
        numeric: ``"quantile"`` or ``"standardize"``; see :class:`Reading`.
        image_size: Height and width that image files are resized to.
        folds: Divide all rows but the test part into so many folds; see ``Data.from_arrays``.
        seed: The split depends on it and on the targets (and groups, or times) alone.
        task: ``classification``, ``multilabel`` or ``regression``; read off the targets where
            absent, see :meth:`Data.from_arrays`.
        scale_targets: Whether a regression is trained on standardised targets.

    Raises:
        DataError: The source cannot be read or trained on.
    """
    reading = Reading(
        target=target,
        groups=groups,
        time=time,
        drop=drop,
        categorical=categorical,
        numeric=numeric,
        image_size=image_size,
        task=task,
        scale_targets=scale_targets,
    )
    return read(source, reading, folds=folds, seed=seed)


def read(source: str | Path, reading: Reading, *, folds: int = 1, seed: int = 0) -> Data:
    """Read data as :func:`load` does, with what is said about them in one object.

    Raises:
        DataError: The source cannot be read or trained on.
    """
    if source == "digits":
        reading.refuse(*_COLUMNS, "image_size", where="digits", because=_NO_COLUMNS)
        return _digits(reading, seed=seed, folds=folds)
    path = Path(source)
    if images.holds_images(path) and path.is_dir():
        return _images(path, reading, seed=seed, folds=folds)
    if not path.suffix:
        raise DataError(
            f"there are no built-in data {str(source)!r}, and no folder or file of this name.",
            where="load",
            fix="use 'digits', or give a folder of images or a file that ends in "
            f"{' or '.join(files.SUFFIXES)}.",
        )
    suffix = files.suffix(path)
    reading.refuse("image_size", where=str(path), because="only image files have a size")
    if suffix == ".npz":
        return _npz(path, reading, seed=seed, folds=folds)
    texts = reading.categorical
    frame = frames.read_frame(path, texts=texts)
    _refuse_nameless([str(name) for name in frame.columns], reading, path)
    where = str(path)
    return from_frame(frame, reading, folds=folds, seed=seed, name=path.stem, where=where)


def from_frame(
    frame: "pd.DataFrame",
    reading: Reading,
    *,
    y: NDArray[np.generic] | None = None,
    target_names: Sequence[Label] | None = None,
    is_test: NDArray[np.bool_] | None = None,
    shares: tuple[float, float] = (0.2, 0.2),
    folds: int = 1,
    seed: int,
    name: str,
    where: str,
) -> Data:
    """Split and encode a pandas table.

    Args:
        frame: One row an example.
        reading: Which columns are what.
        y: The targets, where they are no column.
        target_names: Names of their columns, where they have several.
        is_test: True for the rows of a given test part.
        shares: Of the validation and the test part.
        folds: Into which the search part is divided; 1 for a single split.
        seed: Of the split.
        name: What a record of the study calls the data.
        where: Where the table comes from, for messages.

    Raises:
        DataError: A column is missing, or cannot be what it is said to be.
    """
    frame = frame.rename(columns=str)
    names = [str(column) for column in frame.columns]
    targets: tuple[str, ...] = ()
    if y is None:
        targets = find_targets(reading.target, names, where=where)
        y = read_target_columns(frame, targets, where=where)
        target_names = targets if len(targets) > 1 else target_names
    apart = [n for n in (*targets, reading.groups, reading.time, *reading.drop) if n is not None]
    require_columns(apart, names, where=where)
    features = frame[[n for n in names if n not in apart]]
    kinds = column_kinds(features, categorical=reading.categorical, where=where)
    numeric = reading.numeric or "quantile"
    table = frames.table_of(features, kinds, where=where, numeric=numeric)
    kept = np.ones(len(table), dtype=bool) if is_test is None else ~is_test
    split_by = {
        word: files.column(frame, column, where)[kept]
        for word, column in (("groups", reading.groups), ("time", reading.time))
        if column is not None
    }
    return divide(
        table[kept],
        y[kept],
        test=None if is_test is None else (table[is_test], y[is_test]),
        by=Dividing(**split_by),
        shares=shares,
        folds=folds,
        seed=seed,
        name=name,
        target=", ".join(targets) or None,
        task=reading.task,
        target_names=target_names,
        scale_targets=reading.scale_targets,
    )


def from_datasets(
    datasets: "Sequence[Dataset[Any]]",
    *,
    targets: Any,
    in_memory: bool | None,
    workers: int,
    by: Dividing,
    shares: tuple[float, float],
    folds: int,
    seed: int,
    name: str,
    standardize: bool,
    task: str | None,
    scale_targets: bool,
) -> Data:
    """Split a torch dataset, beside a given test part or not; see ``Data.from_dataset``.

    Raises:
        DataError: A dataset cannot be read or trained on.
    """
    opened = [
        open_dataset(dataset, targets=None if number else targets, workers=workers)
        for number, dataset in enumerate(datasets)
    ]
    if in_memory is None:
        in_memory = sum(rows.bytes for rows, _ in opened) <= _MEMORY
    parts: list[tuple[Raw, NDArray[np.generic]]] = [
        (rows.read() if in_memory else rows, y) for rows, y in opened
    ]
    return divide(
        *parts[0],
        test=parts[1] if len(parts) > 1 else None,
        by=by,
        shares=shares,
        folds=folds,
        seed=seed,
        name=name,
        standardize=standardize,
        task=task,
        scale_targets=scale_targets,
    )


def _digits(reading: Reading, *, seed: int, folds: int) -> Data:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return Data.from_arrays(
        digits.images,
        digits.target,
        folds=folds,
        seed=seed,
        name="digits",
        task=reading.task,
        scale_targets=reading.scale_targets,
    )


def _images(path: Path, reading: Reading, *, seed: int, folds: int) -> Data:
    reading.refuse(*_COLUMNS, "numeric", where=str(path), because=_NO_COLUMNS)
    parts = images.read_folder(path, size=reading.size).parts
    return divide(
        *parts["train"],
        validation=parts.get("validation"),
        test=parts.get("test"),
        folds=folds,
        seed=seed,
        name=path.absolute().name,
        image_size=reading.size,
        task=reading.task,
        scale_targets=reading.scale_targets,
    )


def _npz(path: Path, reading: Reading, *, seed: int, folds: int) -> Data:
    arrays = files.read_npz(path)
    if "x_train" not in arrays and {"X", "y"} <= set(arrays):
        return _archived_table(path, arrays, reading, seed=seed, folds=folds)
    reading.refuse(*_COLUMNS, where=str(path), because=_NO_COLUMNS)
    for key in ("x_train", "y_train"):
        files.first_key(arrays, (key,), path)
    return Data.from_arrays(
        arrays["x_train"],
        arrays["y_train"],
        x_validation=arrays.get("x_val"),
        y_validation=arrays.get("y_val"),
        x_test=arrays.get("x_test"),
        y_test=arrays.get("y_test"),
        numeric=reading.numeric or "standardize",
        folds=folds,
        seed=seed,
        name=path.stem,
        task=reading.task,
        target_names=_target_names(arrays),
        scale_targets=reading.scale_targets,
    )


def _target_names(arrays: dict[str, NDArray[np.generic]]) -> list[Any] | None:
    return arrays["target_names"].tolist() if "target_names" in arrays else None


def _archived_table(
    path: Path,
    arrays: dict[str, NDArray[np.generic]],
    reading: Reading,
    *,
    seed: int,
    folds: int,
) -> Data:
    """Read ``X, y`` with what may tell of their columns and rows."""
    x, y = arrays["X"], arrays["y"]
    reading.refuse("target", where=str(path), because="the target is the array 'y'")
    if x.ndim != 2:
        return Data.from_arrays(
            x,
            y,
            folds=folds,
            seed=seed,
            name=path.stem,
            task=reading.task,
            target_names=_target_names(arrays),
            scale_targets=reading.scale_targets,
        )
    frame = frames.frame_of(arrays, path)
    _refuse_length("y", y, rows=len(x), path=path)
    flags = _flags(arrays, "is_cat", length=x.shape[1], path=path)
    is_test = _flags(arrays, "is_test", length=len(x), path=path)
    told = [] if flags is None else [str(n) for n in frame.columns[flags]]
    apart = {reading.groups, reading.time, *reading.drop}
    categorical = {*reading.categorical, *(n for n in told if n not in apart)}
    return from_frame(
        frame,
        replace(reading, categorical=tuple(sorted(categorical))),
        y=y,
        target_names=_target_names(arrays),
        is_test=is_test,
        folds=folds,
        seed=seed,
        name=path.stem,
        where=str(path),
    )


def _flags(
    arrays: dict[str, NDArray[np.generic]], key: str, *, length: int, path: Path
) -> NDArray[np.bool_] | None:
    if key not in arrays:
        return None
    _refuse_length(key, arrays[key], rows=length, path=path)
    return arrays[key].astype(bool)


def _refuse_length(key: str, array: NDArray[np.generic], *, rows: int, path: Path) -> None:
    if array.shape[:1] != (rows,):
        raise DataError(
            f"{key!r} has the shape {array.shape}, and its length must be {rows} "
            f"to fit {'X' if key != 'is_cat' else 'the columns of X'}.",
            where=str(path),
            fix=f"store one value of {key!r} for each.",
        )


def _refuse_nameless(columns: list[str], reading: Reading, path: Path) -> None:
    # What pandas calls a column without a name: nearly always a row index, which must not
    # become a feature unseen.
    nameless = [name for name in columns if name.startswith("Unnamed: ")]
    if nameless and nameless[0] not in reading.drop:
        position = int(nameless[0].removeprefix("Unnamed: ")) + 1
        raise DataError(
            f"column number {position} has no name.",
            where=str(path),
            fix=f"name it in the first line, or drop it (--drop {nameless[0]!r}) if it only "
            "counts the rows (to_csv(path, index=False) does not write it).",
        )
