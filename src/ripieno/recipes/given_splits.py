"""Data whose training and validation rows the user has chosen, split by split."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes.data import Data, divide
from ripieno.recipes.encoding import TableEncoder
from ripieno.recipes.folds import Folds
from ripieno.recipes.raw import raw_rows
from ripieno.recipes.tables import Table, as_array

__all__ = ["from_splits"]

Rows = NDArray[np.int64]


def from_splits(
    x: Any,
    y: Any,
    splits: Sequence[tuple[NDArray[np.integer], NDArray[np.integer]]],
    *,
    name: str = "arrays",
    task: str | None = None,
) -> Data:
    """Return data without a test part that are validated on given rows.

    One split is a training and a validation part. Several are folds, on each of which one
    model of a trial is validated; they may overlap or leave rows out, as those of a repeated
    or a shuffled cross-validation do. The rows that a trial leaves predictions of are then
    the validation rows of the first split, those of the second, and so on: a row that is
    validated twice counts twice, each time by a model that was not trained on it.

    Args:
        x: Features, as :meth:`Data.from_arrays` takes them.
        y: Targets, likewise.
        splits: Training and validation rows of each split, as a scikit-learn splitter gives
            them.
        name: What a record of the study calls the data.
        task: ``classification``, ``multilabel`` or ``regression``; read off ``y`` if None.

    Raises:
        DataError: There is no split, a part of one is empty, or the arrays cannot be trained
            on.
    """
    pairs = [(_numbers(train), _numbers(held)) for train, held in splits]
    _check(pairs, name)
    (raw,) = raw_rows(x, where=name)
    if isinstance(raw, Table):
        # Which features there are is decided by all rows, so that every fold has the same.
        raw = replace(raw, layout=TableEncoder.fit(raw))
    targets = as_array(y)
    parts = tuple(
        divide(raw, targets, seed=0, name=name, task=task, rows=[train, held])
        for train, held in pairs
    )
    if len(parts) == 1:
        return parts[0]
    sizes = [len(held) for _, held in pairs]
    ends = np.cumsum(sizes)
    folds = Folds(
        parts,
        tuple(np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)),
        np.concatenate([part.validation.y for part in parts]),
    )
    return replace(parts[0], folds=folds, fingerprint=_fingerprint(parts, pairs))


def _numbers(rows: NDArray[np.integer]) -> Rows:
    return np.asarray(rows, dtype=np.int64)


def _check(splits: Sequence[tuple[Rows, Rows]], name: str) -> None:
    if not splits:
        raise DataError(
            "there is no split.",
            where=name,
            fix="give at least one pair of training and validation rows.",
        )
    for number, (train, held) in enumerate(splits, start=1):
        if not len(train) or not len(held):
            raise DataError(
                f"split {number} has {len(train)} training and {len(held)} validation rows.",
                where=name,
                fix="give at least one row to each part.",
            )


def _fingerprint(parts: Sequence[Data], splits: Sequence[tuple[Rows, Rows]]) -> str:
    digest = hashlib.sha256(b"splits")
    # Little-endian on every machine.
    for part, (_, held) in zip(parts, splits, strict=True):
        for array in (held, part.validation.y):
            digest.update(np.ascontiguousarray(array, dtype=f"<{array.dtype.kind}8").tobytes())
    return digest.hexdigest()[:16]
