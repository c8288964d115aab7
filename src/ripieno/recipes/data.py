"""Data that are ready to be trained on: three parts of arrays, standardised."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes import files
from ripieno.recipes.folds import Folds, check_foldable, check_folds, in_folds
from ripieno.recipes.grouping import Dividing, divide_by
from ripieno.recipes.parts import divide_rows
from ripieno.recipes.preprocess import Preprocess, Raw
from ripieno.recipes.raw import raw_rows
from ripieno.recipes.sources import Sources
from ripieno.recipes.splits import Label
from ripieno.recipes.streams import DatasetRows, Stream
from ripieno.recipes.tables import NumericTransform, as_array
from ripieno.recipes.targets import Coding, encode_targets, output_names, read_targets
from ripieno.recipes.tasks import TaskName, check_task, decide_task

__all__ = ["Data", "Split", "divide"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Split:
    """One part of the data.

    Args:
        x: Features, float32, shape ``(rows, *features)``; a stream of them, where the data
            are larger than the memory.
        y: Numbers of classes, int64, shape ``(rows,)``; or labels, 0 and 1, int64, shape
            ``(rows, labels)``; or values in their own units, float64, shape ``(rows,)`` or
            ``(rows, columns)``.
        raw: The features before preprocessing, where models of several preprocessings are to
            read them (the test part of folded data); else None.
    """

    x: NDArray[np.float32] | Stream
    y: NDArray[Any]
    raw: Raw | None = None

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
class Data(Sources):
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

    @property
    def streamed(self) -> bool:
        """Whether the training rows are read batch by batch."""
        return isinstance(self.train.x, Stream)

    @staticmethod
    def from_arrays(
        x: Any,
        y: Any,
        *,
        x_validation: Any = None,
        y_validation: Any = None,
        x_test: Any = None,
        y_test: Any = None,
        groups: Any = None,
        time: Any = None,
        categorical: Sequence[int] | Sequence[bool] | Sequence[str] = (),
        numeric: NumericTransform = "standardize",
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
                with their channels last or first; arrays or tensors of numbers of any type,
                or a pandas DataFrame of features. Left unchanged. In a table, NaN is a
                missing value.
            y: One label a row: strings, integers or booleans, shape ``(rows,)``; or 0 and 1
                for several labels, shape ``(rows, labels)``; or measurements, floats of shape
                ``(rows,)`` or ``(rows, columns)``.
            x_validation: A given validation part, with ``y_validation``.
            y_validation: Its targets.
            x_test: A given test part, with ``y_test``; kept whole, and never trained on.
            y_test: Its targets.
            groups: One value a row of ``x``; rows with equal values stay in one part.
            time: One number or date a row; the latest rows are validation and test part.
            categorical: Columns of a table that hold categories: their numbers (or names), or
                one boolean a column.
            numeric: How the numeric columns of a table are scaled: ``"standardize"``, or
                ``"quantile"`` to make them normal.
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
        given = {}
        for part, pair in (
            ("validation", (x_validation, y_validation)),
            ("test", (x_test, y_test)),
        ):
            if (pair[0] is None) != (pair[1] is None):
                raise DataError(
                    f"{'y' if pair[1] is None else 'x'}_{part} is missing.",
                    where=name,
                    fix=f"give both x_{part} and y_{part}, or neither.",
                )
            if pair[0] is not None:
                given[part] = pair
        raw = raw_rows(
            x,
            *(pair[0] for pair in given.values()),
            categorical=categorical,
            numeric=numeric,
            where=name,
        )
        targets = [as_array(pair[1]) for pair in given.values()]
        parts = dict(zip(given, zip(raw[1:], targets, strict=True), strict=True))
        named = getattr(y, "columns", ())
        if target_names is None and len(named) > 1:
            target_names = [str(column) for column in named]
        return divide(
            raw[0],
            as_array(y),
            validation=parts.get("validation"),
            test=parts.get("test"),
            by=Dividing.of(groups, time),
            shares=(validation_share, test_share),
            folds=folds,
            seed=seed,
            name=name,
            task=task,
            target_names=target_names,
            scale_targets=scale_targets,
        )


def divide(
    x: Raw,
    y: NDArray[np.generic],
    *,
    validation: tuple[Raw, NDArray[np.generic]] | None = None,
    test: tuple[Raw, NDArray[np.generic]] | None = None,
    by: Dividing | None = None,
    shares: tuple[float, float] = (0.2, 0.2),
    folds: int = 1,
    seed: int,
    name: str,
    target: str | None = None,
    image_size: tuple[int, int] | None = None,
    standardize: bool = True,
    task: str | None = None,
    target_names: Sequence[Label] | None = None,
    scale_targets: bool = True,
    rows: Sequence[NDArray[np.int64]] | None = None,
) -> Data:
    """Split raw rows, fit the preprocessing on the training part and apply it to all parts.

    Args and errors are those of :meth:`Data.from_arrays`; ``target`` names the column of a
    table, ``image_size`` is what image files were resized to, without ``standardize`` the
    features stay as they are, and ``rows`` are the row numbers of the parts where those are
    not drawn here.
    """
    check_folds(folds, name)
    place = name if target is None else f"{name}, column {target!r}"
    kind = decide_task(y, where=place) if task is None else check_task(task, where=place)
    labels = _labelled(x, y, where=name, target_at=place, task=kind)
    classes = output_names(labels, task=kind, given=target_names, where=place)
    codes = encode_targets(labels, classes, task=kind, where=place)
    if folds > 1:
        check_foldable(x, given=validation is not None, by=by, where=name)
        return in_folds(
            lambda x, rows: divide(
                x,
                y,
                test=test,
                seed=seed,
                name=name,
                target=target,
                image_size=image_size,
                standardize=standardize,
                task=kind,
                target_names=target_names,
                scale_targets=scale_targets,
                rows=rows,
            ),
            x,
            codes,
            by=by,
            task=kind,
            folds=folds,
            test_share=0.0 if test else shares[1],
            test=None if test is None else test[0],
            seed=seed,
            names=classes,
            where=name,
        )
    wanted = [
        share
        for share, given in zip(shares, (validation, test), strict=True)
        if given is None and share != 0.0
    ]
    if shares[0] == 0.0 and validation is None:
        raise DataError(
            "validation_share = 0 leaves no validation part.",
            where=name,
            fix="give a share above 0, such as 0.2: configs are compared on that part.",
        )
    parts_rows = list(rows or [np.arange(len(codes))])
    if rows is None and wanted and by:
        parts_rows = divide_by(by, codes, wanted, seed=seed, where=name)
    elif rows is None and wanted:
        parts_rows = divide_rows(codes, wanted, task=kind, seed=seed, names=classes, where=name)
    preprocess = Preprocess.fit(
        x[parts_rows[0]], target=target, image_size=image_size, standardize=standardize
    )
    parts = [Split(_applied(preprocess, x[part]), codes[part]) for part in parts_rows]
    for position, word, pair in ((1, "validation", validation), (2, "test", test)):
        if pair is None:
            continue
        where = f"{name}, {word} part"
        given = _labelled(*pair, where=where, target_at=f"{place}, {word} part", task=kind)
        numbers = encode_targets(given, classes, task=kind, where=where)
        parts.insert(position, Split(_applied(preprocess, pair[0]), numbers))
        if position == 1:
            parts_rows.insert(1, np.arange(len(numbers)))
    return Data(
        train=parts[0],
        validation=parts[1],
        test=parts[2] if len(parts) > 2 else None,
        classes=classes,
        preprocess=preprocess,
        name=name,
        fingerprint=_fingerprint(parts_rows[1], parts[1].y),
        coding=Coding.fit(parts[0].y, task=kind, scaled=scale_targets),
    )


def _applied(preprocess: Preprocess, raw: Raw) -> NDArray[np.float32] | Stream:
    return raw.through(preprocess) if isinstance(raw, DatasetRows) else preprocess.apply(raw)


def _labelled(
    x: Raw, y: NDArray[np.generic], *, where: str, target_at: str, task: TaskName
) -> NDArray[np.generic]:
    """Check the features, and return the targets as the task has them."""
    if isinstance(x, np.ndarray):  # others are checked column by column, or when they are read
        files.check_numbers(x, names=None, where=where)
    labels = read_targets(y, task=task, where=target_at)
    if len(x) != len(labels):
        raise DataError(
            f"there are {len(x)} rows of features and {len(labels)} targets.",
            where=where,
            fix="give one target a row.",
        )
    return labels


def _fingerprint(rows: NDArray[np.int64], y: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    # Little-endian on every machine.
    for array in (rows, y):
        digest.update(np.ascontiguousarray(array, dtype=f"<{array.dtype.kind}8").tobytes())
    return digest.hexdigest()[:16]
