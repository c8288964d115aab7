"""Data by name or by file: ``digits``, ``.npz`` and ``.csv``."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes import files
from ripieno.recipes.data import Data, divide

__all__ = ["load"]

_USUAL_TARGETS = frozenset({"target", "label", "class", "y"})


def load(
    source: str | Path,
    *,
    target: str | None = None,
    folds: int = 1,
    seed: int = 0,
    task: str | None = None,
    scale_targets: bool = True,
) -> Data:
    """Read data and split them into a training, a validation and a test part.

    Args:
        source: ``"digits"`` (scikit-learn's 1,797 real handwritten images of 8 x 8 pixels),
            a ``.npz`` file with ``x_train``, ``y_train`` and optionally ``x_test``,
            ``y_test`` and ``target_names`` (of labels or columns), or a ``.csv`` file with a
            header line.
        target: Name of the target column of a ``.csv`` file; where it is not given, the one
            column that is called target, label, class or y.
        folds: Divide all rows but the test part into so many folds; see ``Data.from_arrays``.
        seed: The split depends on it and on the labels alone.
        task: ``classification``, ``multilabel`` or ``regression``; read off the targets where
            absent, see :meth:`Data.from_arrays`.
        scale_targets: Whether a regression is trained on standardised targets.

    Raises:
        DataError: The source cannot be read or trained on.
    """
    if source == "digits":
        _refuse_target(target, "digits")
        return _digits(seed, folds=folds, task=task, scale_targets=scale_targets)
    path = Path(source)
    if not path.suffix:
        raise DataError(
            f"there are no built-in data {str(source)!r}, and no file without an ending is read.",
            where="load",
            fix="use 'digits', or give a file that ends in .csv or .npz.",
        )
    if files.suffix(path) == ".npz":
        _refuse_target(target, str(path))
        return _npz(path, seed, folds=folds, task=task, scale_targets=scale_targets)
    options: dict[str, Any] = {"task": task, "scale_targets": scale_targets}
    return _csv(path, target=target, seed=seed, folds=folds, **options)


def _refuse_target(target: str | None, where: str) -> None:
    if target is not None:
        raise DataError(
            f"target = {target!r} is given, but only a .csv file has columns.",
            where=where,
            fix="leave the target out.",
        )


def _digits(seed: int, **options: Any) -> Data:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return Data.from_arrays(digits.images, digits.target, seed=seed, name="digits", **options)


def _npz(path: Path, seed: int, **options: Any) -> Data:
    arrays = files.read_npz(path)
    for key in ("x_train", "y_train"):
        files.first_key(arrays, (key,), path)
    if "target_names" in arrays:
        options["target_names"] = arrays["target_names"].tolist()
    return Data.from_arrays(
        arrays["x_train"],
        arrays["y_train"],
        x_test=arrays.get("x_test"),
        y_test=arrays.get("y_test"),
        seed=seed,
        name=path.stem,
        **options,
    )


def _csv(path: Path, *, target: str | None, seed: int, **options: Any) -> Data:
    table = files.read_csv(path)
    names = [str(name) for name in table.columns]
    chosen = _usual_target(names, path) if target is None else target
    y: NDArray[np.generic] = files.column(table, chosen, path)
    columns = tuple(name for name in names if name != chosen)
    _refuse_nameless(columns, path)
    x = files.feature_matrix(table, columns, where=str(path))
    return divide(x, y, seed=seed, name=path.stem, columns=columns, target=chosen, **options)


def _refuse_nameless(columns: tuple[str, ...], path: Path) -> None:
    # What pandas calls a column without a name: nearly always a row index, which must not
    # become a feature unseen.
    nameless = [name for name in columns if name.startswith("Unnamed: ")]
    if nameless:
        position = int(nameless[0].removeprefix("Unnamed: ")) + 1
        raise DataError(
            f"column number {position} has no name.",
            where=str(path),
            fix="name it in the first line, or drop it if it only counts the rows "
            "(to_csv(path, index=False) does not write it).",
        )


def _usual_target(names: list[str], path: Path) -> str:
    found = [name for name in names if name.strip().lower() in _USUAL_TARGETS]
    if len(found) == 1:
        return found[0]
    problem = "several columns could be the target" if found else "no column looks like a target"
    raise DataError(
        f"{problem}{': ' + ', '.join(map(repr, found)) if found else ''}.",
        where=f"{path}: {', '.join(names)}",
        fix="name the target column: target=… (or --target COLUMN).",
    )
