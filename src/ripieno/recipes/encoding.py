"""A whole table as a network reads it: fitted on the training part, stored as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes.columns import CategoricalColumn, NumericColumn
from ripieno.recipes.tables import Table, category_texts
from ripieno.recipes.words import quoted

__all__ = ["TableEncoder", "as_kind"]

_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class TableEncoder:
    """Turns raw columns into features.

    The features of one row are, in this order: the numbers, zeros and ones for the numbers
    that are missing, zeros and ones for the categories, and last one whole number for each
    embedded column.

    Args:
        columns: The table's columns in order.
    """

    columns: tuple[NumericColumn | CategoricalColumn, ...]

    @classmethod
    def fit(cls, table: Table, *, like: Self | None = None) -> Self:
        """Learn every column from the training part.

        Args:
            table: The training rows.
            like: Where given, which features there are is taken from it, and only what the
                numbers are scaled with is learned.
        """
        columns: list[NumericColumn | CategoricalColumn] = []
        for i, (name, values) in enumerate(zip(table.names, table.columns, strict=True)):
            known = like.columns[i] if like is not None else None
            if isinstance(known, CategoricalColumn):
                columns.append(known)
            elif table.categorical[i]:
                columns.append(CategoricalColumn.fit(name, cast("NDArray[np.object_]", values)))
            else:
                indicator = None if known is None else known.indicator
                columns.append(
                    NumericColumn.fit(
                        name, _numbers(values), numeric=table.numeric, indicator=indicator
                    )
                )
        return cls(tuple(columns))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the raw columns."""
        return tuple(column.name for column in self.columns)

    @property
    def numbers(self) -> int:
        """How many columns of numbers there are; those are the first features."""
        return len(self._numeric)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Numbers that each embedded column can hold; those columns are the last features."""
        return tuple(column.cardinality for column in self._embedded)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return (
            *(column.name for column in self._numeric),
            *(f"{column.name} is missing" for column in self._numeric if column.indicator),
            *(name for column in self._hot for name in column.features),
            *(column.name for column in self._embedded),
        )

    def apply(self, table: Table) -> NDArray[np.float32]:
        """Return the features, float32, shape ``(rows, features)``.

        Args:
            table: The columns of :attr:`names`, in this order and of the kinds that were
                fitted; left unchanged.
        """
        result = np.empty((len(table), len(self.features)), dtype=np.float32)
        for start in range(0, len(table), _CHUNK):
            piece = slice(start, start + _CHUNK)
            result[piece] = self._encode(table[piece])
        return result

    def _encode(self, table: Table) -> NDArray[np.float64]:
        raw = dict(zip(self.names, table.columns, strict=True))
        numbers = {column: _numbers(raw[column.name]) for column in self._numeric}
        texts = {
            column: cast("NDArray[np.object_]", raw[column.name])
            for column in (*self._hot, *self._embedded)
        }
        parts = [
            *(column.apply(values)[:, None] for column, values in numbers.items()),
            *(np.isnan(v)[:, None] for column, v in numbers.items() if column.indicator),
            *(column.apply(texts[column]) for column in self._hot),
            *(column.codes(texts[column])[:, None] for column in self._embedded),
        ]
        return np.concatenate(parts, axis=1, dtype=np.float64)

    def select(self, table: Table) -> Table:
        """Return the fitted columns of a table, in their order.

        Raises:
            DataError: One is missing.
        """
        columns = dict(zip(table.names, table.columns, strict=True))
        missing = [name for name in self.names if name not in columns]
        if missing:
            raise DataError(
                f"the table has no column {quoted(missing)}.",
                where=f"columns {quoted(table.names)}",
                fix="give every column that the model was trained on.",
            )
        return Table(self.names, tuple(columns[name] for name in self.names))

    def table(self, rows: NDArray[np.generic]) -> Table:
        """Return an array ``(rows, columns)`` as a table with the fitted columns.

        Raises:
            DataError: It has another number of columns, or numbers are no numbers.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self.columns):
            raise DataError(
                f"rows of shape {rows.shape[1:]} do not fit: "
                f"the training rows had {len(self.columns)} columns.",
                where=f"columns {quoted(self.names)}",
                fix=f"give an array (rows, {len(self.columns)}), or a table with these names.",
            )
        return Table(
            self.names,
            tuple(
                as_kind(rows[:, i], column.name, categorical=_categorical(column))
                for i, column in enumerate(self.columns)
            ),
        )

    @property
    def kinds(self) -> Mapping[str, bool]:
        """For each raw column, whether it holds categories."""
        return {column.name: _categorical(column) for column in self.columns}

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> Self:
        """Read what :func:`dataclasses.asdict` and JSON made of one.

        Raises:
            TypeError, KeyError, AttributeError: It is something else.
        """
        return cls(tuple(_column(column) for column in tree["columns"]))

    @property
    def _numeric(self) -> list[NumericColumn]:
        return [c for c in self.columns if isinstance(c, NumericColumn)]

    @property
    def _hot(self) -> list[CategoricalColumn]:
        return [c for c in self.columns if isinstance(c, CategoricalColumn) and not c.embedded]

    @property
    def _embedded(self) -> list[CategoricalColumn]:
        return [c for c in self.columns if isinstance(c, CategoricalColumn) and c.embedded]


def as_kind(
    values: NDArray[np.generic], name: str, *, categorical: bool, where: str = "the rows"
) -> NDArray[np.float64] | NDArray[np.object_]:
    """Return a raw column as numbers with NaN, or as categories with None.

    Raises:
        DataError: Numbers are wanted, and a value is none, or is infinite.
    """
    if categorical:
        return category_texts(values)
    return _finite(_parsed(values, name, where), name, where)


def _parsed(values: NDArray[np.generic], name: str, where: str) -> NDArray[np.float64]:
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    texts = category_texts(values).tolist()
    numbers = np.empty(len(texts), dtype=np.float64)
    for row, text in enumerate(texts):
        try:
            numbers[row] = np.nan if text is None else _WORDS.get(text.lower(), text)
        except ValueError as error:
            raise DataError(
                f"the column {name!r} holds {text[:40]!r} in row {row + 1}, which is no number.",
                where=f"{where}, column {name!r}, which holds numbers",
                fix="write every value of the column as a number, or leave it empty.",
            ) from error
    return numbers


_WORDS: Mapping[str, float] = {"true": 1.0, "false": 0.0}


def _finite(numbers: NDArray[np.float64], name: str, where: str) -> NDArray[np.float64]:
    bad = np.abs(numbers) > np.finfo(np.float32).max
    if bad.any():
        raise DataError(
            f"{int(bad.sum())} value{'s are' if bad.sum() > 1 else ' is'} infinite or too large "
            f"in {name!r}, "
            f"first in row {int(bad.argmax()) + 1}.",
            where=f"{where}, column {name!r}",
            fix="leave such values empty (they are filled), or correct them.",
        )
    return numbers


def _numbers(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _categorical(column: NumericColumn | CategoricalColumn) -> bool:
    return isinstance(column, CategoricalColumn)


def _column(tree: Mapping[str, Any]) -> NumericColumn | CategoricalColumn:
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in tree.items()}
    return (CategoricalColumn if "categories" in values else NumericColumn)(**values)
