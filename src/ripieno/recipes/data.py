"""Data that are ready to be trained on: three parts of arrays, standardised."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes import files, splits
from ripieno.recipes.folds import Folds, check_folds, in_folds
from ripieno.recipes.parts import divide_rows
from ripieno.recipes.preprocess import Preprocess
from ripieno.recipes.splits import Label
from ripieno.recipes.targets import Coding, output_names, read_targets
from ripieno.recipes.tasks import TaskName, check_task, decide_task

__all__ = ["Data", "Split", "divide"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Split:
    """One part of the data.

    Args:
        x: Features, float32, shape ``(rows, *features)``.
        y: Numbers of classes, int64, shape ``(rows,)``; or labels, 0 and 1, int64, shape
            ``(rows, labels)``; or values in their own units, float64, shape ``(rows,)`` or
            ``(rows, columns)``.
        raw: The features before preprocessing, where models of several preprocessings are to
            read them (the test part of folded data); else None.
    """

    x: NDArray[np.float32]
    y: NDArray[Any]
    raw: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise DataError(
                f"x has {len(self.x)} rows, and y has {len(self.y)}.",
                where="Split",
                fix="pass as many targets as rows.",
            )
        if self.x.dtype != np.float32 or self.y.dtype not in (np.int64, np.float64):
            raise DataError(
                f"x is {self.x.dtype} and y is {self.y.dtype}, not float32 and int64 or float64.",
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
        classes: What the outputs of a network stand for: output ``i`` is of the class
            ``classes[i]``, of that label, or of that column of a regression's targets.
        preprocess: Turns raw rows into rows like these.
        name: What a record of the study calls the data.
        fingerprint: The same for data with the same validation rows and targets, so that
            predictions of different splits are never mixed.
        folds: The search part (training and validation rows) as folds, the first of which the
            parts above are; None for a single split.
        coding: The task, and the units that a regression is trained in.
    """

    train: Split
    validation: Split
    test: Split | None
    classes: tuple[Label, ...]
    preprocess: Preprocess
    name: str
    fingerprint: str
    folds: Folds | None = None
    coding: Coding = field(default_factory=Coding)

    @property
    def task(self) -> TaskName:
        """``classification``, ``multilabel`` or ``regression``."""
        return self.coding.task

    @property
    def outputs(self) -> int:
        """How many outputs a network has: one a class, a label or a column of values."""
        return len(self.classes)

    @property
    def parts(self) -> tuple["Data", ...]:
        """The data that single models are trained on: one a fold, or these themselves."""
        return (self,) if self.folds is None else self.folds.parts

    @property
    def targets(self) -> NDArray[Any]:
        """Targets of the rows that a trial leaves predictions of, as a split holds them.

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
        task: str | None = None,
        target_names: Sequence[Label] | None = None,
        scale_targets: bool = True,
    ) -> "Data":
        """Split, standardise and lay out arrays.

        Args:
            x: Tables ``(rows, features)``, grey images ``(rows, height, width)`` or images
                with their channels last or first; numbers of any type. Left unchanged.
            y: One label a row: strings, integers or booleans, shape ``(rows,)``; or 0 and 1
                for several labels, shape ``(rows, labels)``; or measurements, floats of shape
                ``(rows,)`` or ``(rows, columns)``.
            x_test: A given test part, with ``y_test``; kept whole, and never trained on.
            y_test: Its targets.
            validation_share: Share of the rows of ``x`` for the validation part.
            test_share: Share of the rows of ``x`` for the test part; 0 for none. Not used
                where a test part is given.
            folds: Divide all rows but the test part into so many stratified folds, on each of
                which one model of a trial is validated; ``validation_share`` is not used then.
            seed: The split depends on it and on the labels alone.
            name: What a record of the study calls the data.
            task: ``classification``, ``multilabel`` or ``regression``; read off ``y`` where
                absent: floats are a regression, unless they are whole and of at most 20
                different values, and an array of 0 and 1 with several columns is multi-label.
            target_names: Names of the labels or of the columns of ``y``; those of a pandas
                ``y`` with several columns, or their numbers, where absent.
            scale_targets: Whether regression is trained on standardised targets. Metrics and
                predictions are in the target's own units in any case.

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
        named = getattr(y, "columns", ())
        if target_names is None and len(named) > 1:
            target_names = [str(name) for name in named]
        return divide(
            np.asarray(x),
            np.asarray(y),
            test=test,
            shares=(validation_share, test_share),
            folds=folds,
            seed=seed,
            name=name,
            task=task,
            target_names=target_names,
            scale_targets=scale_targets,
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
    task: str | None = None,
    target_names: Sequence[Label] | None = None,
    scale_targets: bool = True,
    rows: Sequence[NDArray[np.int64]] | None = None,
) -> Data:
    """Split raw rows, fit the preprocessing on the training part and apply it to all parts.

    Args and errors are those of :meth:`Data.from_arrays`; ``columns`` and ``target`` name
    what a CSV file held, and ``rows`` are the row numbers of the parts where those are not
    drawn here.
    """
    check_folds(folds, name)
    place = name if target is None else f"{name}, column {target!r}"
    kind = decide_task(y, where=place) if task is None else check_task(task, where=place)
    labels = _labelled(x, y, names=columns, where=name, target_at=place, task=kind)
    classes = output_names(labels, task=kind, given=target_names, where=place)
    codes = _encoded(labels, classes, task=kind, where=place)
    if folds > 1:
        return in_folds(
            lambda rows: divide(
                x,
                y,
                test=test,
                seed=seed,
                name=name,
                columns=columns,
                target=target,
                task=kind,
                target_names=target_names,
                scale_targets=scale_targets,
                rows=rows,
            ),
            x,
            codes,
            task=kind,
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
    rows = rows or divide_rows(codes, wanted, task=kind, seed=seed, names=classes, where=name)
    preprocess = Preprocess.fit(x[rows[0]], columns=columns, target=target)
    parts = [Split(preprocess.apply(x[part]), codes[part]) for part in rows]
    if test is not None:
        given = _labelled(
            *test,
            names=columns,
            where=f"{name}, test part",
            target_at=f"{place}, test part",
            task=kind,
        )
        numbers = _encoded(given, classes, task=kind, where=f"{name}, test part")
        parts.append(Split(preprocess.apply(test[0]), numbers))
    return Data(
        train=parts[0],
        validation=parts[1],
        test=parts[2] if len(parts) > 2 else None,
        classes=classes,
        preprocess=preprocess,
        name=name,
        fingerprint=_fingerprint(rows[1], codes[rows[1]]),
        coding=Coding.fit(parts[0].y, task=kind, scaled=scale_targets),
    )


def _labelled(
    x: NDArray[np.generic],
    y: NDArray[np.generic],
    *,
    names: tuple[str, ...] | None,
    where: str,
    target_at: str,
    task: TaskName,
) -> NDArray[np.generic]:
    """Check the features, and return the targets as the task has them."""
    files.check_numbers(x, names=names, where=where)
    labels = read_targets(y, task=task, where=target_at)
    if len(x) != len(labels):
        raise DataError(
            f"there are {len(x)} rows of features and {len(labels)} targets.",
            where=where,
            fix="give one target a row.",
        )
    return labels


def _encoded(
    labels: NDArray[np.generic], classes: Sequence[Label], *, task: TaskName, where: str
) -> NDArray[Any]:
    """Return targets as a split holds them."""
    if task == "classification":
        return splits.encode_labels(labels, classes, where)
    columns = 1 if labels.ndim == 1 else labels.shape[1]
    if columns != len(classes):
        raise DataError(
            f"the targets have {columns} columns, and the training rows {len(classes)}.",
            where=where,
            fix="give every part the same columns of targets.",
        )
    return labels


def _fingerprint(rows: NDArray[np.int64], y: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    # Little-endian on every machine.
    for array in (rows, y):
        digest.update(np.ascontiguousarray(array, dtype=f"<{array.dtype.kind}8").tobytes())
    return digest.hexdigest()[:16]
