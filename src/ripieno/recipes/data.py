"""Data that are ready to be trained on: three parts of arrays, standardised."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes import files, splits
from ripieno.recipes.folds import Folds, check_folds, in_folds
from ripieno.recipes.preprocess import Preprocess
from ripieno.recipes.splits import Label

__all__ = ["Data", "Split", "divide"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Split:
    """One part of the data.

    Args:
        x: Features, float32, shape ``(rows, *features)``.
        y: Numbers of classes, int64, shape ``(rows,)``.
        raw: The features before preprocessing, where models of several preprocessings are to
            read them (the test part of folded data); else None.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    raw: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise DataError(
                f"x has {len(self.x)} rows, and y has {len(self.y)}.",
                where="Split",
                fix="pass as many targets as rows.",
            )
        if self.x.dtype != np.float32 or self.y.dtype != np.int64:
            raise DataError(
                f"x is {self.x.dtype} and y is {self.y.dtype}, not float32 and int64.",
                where="Split",
                fix="use Data.from_arrays, which converts them.",
            )

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Split({len(self)} rows of shape {self.x.shape[1:]})"


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """A training, a validation and a test part, and how raw rows become theirs.

    Args:
        train: What models are trained on.
        validation: What they are compared on.
        test: What the result is measured on, once; None where there is none.
        classes: Names of the classes; class ``i`` of the targets is ``classes[i]``.
        preprocess: Turns raw rows into rows like these.
        name: What a record of the study calls the data.
        fingerprint: The same for data with the same validation rows and targets, so that
            predictions of different splits are never mixed.
        folds: The search part (training and validation rows) as folds, the first of which the
            parts above are; None for a single split.
    """

    train: Split
    validation: Split
    test: Split | None
    classes: tuple[Label, ...]
    preprocess: Preprocess
    name: str
    fingerprint: str
    folds: Folds | None = None

    @property
    def parts(self) -> tuple["Data", ...]:
        """The data that single models are trained on: one a fold, or these themselves."""
        return (self,) if self.folds is None else self.folds.parts

    @property
    def targets(self) -> NDArray[np.int64]:
        """Right classes of the rows that a trial leaves predictions of, ``(rows,)``.

        Those of the validation part; with folds, of the whole search part in row order.
        """
        return self.validation.y if self.folds is None else self.folds.targets

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row of features: ``(features,)`` or ``(channels, height, width)``."""
        return tuple(self.train.x.shape[1:])

    @staticmethod
    def from_arrays(
        x: NDArray[Any],
        y: NDArray[Any],
        *,
        x_test: NDArray[Any] | None = None,
        y_test: NDArray[Any] | None = None,
        validation_share: float = 0.2,
        test_share: float = 0.2,
        folds: int = 1,
        seed: int = 0,
        name: str = "arrays",
    ) -> "Data":
        """Split, standardise and lay out arrays.

        Args:
            x: Tables ``(rows, features)``, grey images ``(rows, height, width)`` or images
                with their channels last or first; numbers of any type. Left unchanged.
            y: One label a row: strings, integers or booleans.
            x_test: A given test part, with ``y_test``; kept whole, and never trained on.
            y_test: Its labels.
            validation_share: Share of the rows of ``x`` for the validation part.
            test_share: Share of the rows of ``x`` for the test part; 0 for none. Not used
                where a test part is given.
            folds: Divide all rows but the test part into so many stratified folds, on each of
                which one model of a trial is validated; ``validation_share`` is not used then.
            seed: The split depends on it and on the labels alone.
            name: What a record of the study calls the data.

        Raises:
            DataError: The arrays cannot be trained on.
        """
        if (x_test is None) != (y_test is None):
            raise DataError(
                f"{'y_test' if y_test is None else 'x_test'} is missing.",
                where=name,
                fix="give both x_test and y_test, or neither.",
            )
        test = None if x_test is None else (np.asarray(x_test), np.asarray(y_test))
        return divide(
            np.asarray(x),
            np.asarray(y),
            test=test,
            shares=(validation_share, test_share),
            folds=folds,
            seed=seed,
            name=name,
        )


def divide(
    x: NDArray[np.generic],
    y: NDArray[np.generic],
    *,
    test: tuple[NDArray[np.generic], NDArray[np.generic]] | None = None,
    shares: tuple[float, float] = (0.2, 0.2),
    folds: int = 1,
    seed: int,
    name: str,
    columns: tuple[str, ...] | None = None,
    target: str | None = None,
    rows: Sequence[NDArray[np.int64]] | None = None,
) -> Data:
    """Split raw rows, fit the preprocessing on the training part and apply it to all parts.

    Args and errors are those of :meth:`Data.from_arrays`; ``columns`` and ``target`` name
    what a CSV file held, and ``rows`` are the row numbers of the parts where those are not
    drawn here.
    """
    check_folds(folds, name)
    place = name if target is None else f"{name}, column {target!r}"
    labels = _labelled(x, y, names=columns, where=name, target_at=place)
    classes = splits.class_names(labels, place)
    codes = splits.encode_labels(labels, classes, place)
    if folds > 1:
        return in_folds(
            lambda rows: divide(
                x, y, test=test, seed=seed, name=name, columns=columns, target=target, rows=rows
            ),
            x,
            codes,
            folds=folds,
            test_share=0.0 if test else shares[1],
            test=None if test is None else test[0],
            seed=seed,
            names=classes,
            where=name,
        )
    wanted = [share for share in (shares[0], 0.0 if test else shares[1]) if share != 0.0]
    if shares[0] == 0.0:
        raise DataError(
            "validation_share = 0 leaves no validation part.",
            where=name,
            fix="give a share above 0, such as 0.2: configs are compared on that part.",
        )
    rows = rows or splits.stratified_split(codes, wanted, seed=seed, names=classes, where=name)
    preprocess = Preprocess.fit(x[rows[0]], columns=columns, target=target)
    parts = [Split(preprocess.apply(x[part]), codes[part]) for part in rows]
    if test is not None:
        given = _labelled(
            *test, names=columns, where=f"{name}, test part", target_at=f"{place}, test part"
        )
        numbers = splits.encode_labels(given, classes, f"{name}, test part")
        parts.append(Split(preprocess.apply(test[0]), numbers))
    return Data(
        train=parts[0],
        validation=parts[1],
        test=parts[2] if len(parts) > 2 else None,
        classes=classes,
        preprocess=preprocess,
        name=name,
        fingerprint=_fingerprint(rows[1], codes[rows[1]]),
    )


def _labelled(
    x: NDArray[np.generic],
    y: NDArray[np.generic],
    *,
    names: tuple[str, ...] | None,
    where: str,
    target_at: str,
) -> NDArray[np.generic]:
    """Check the features, and return the targets as one label a row."""
    files.check_numbers(x, names=names, where=where)
    labels = splits.as_labels(y, target_at)
    if len(x) != len(labels):
        raise DataError(
            f"there are {len(x)} rows of features and {len(labels)} targets.",
            where=where,
            fix="give one target a row.",
        )
    return labels


def _fingerprint(rows: NDArray[np.int64], y: NDArray[np.int64]) -> str:
    digest = hashlib.sha256()
    # Little-endian on every machine.
    for array in (rows, y):
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]
