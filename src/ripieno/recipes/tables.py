"""Rows of a table as they come from a file: columns of numbers and columns of text."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError

if TYPE_CHECKING:
    from ripieno.recipes.encoding import TableEncoder

__all__ = [
    "NumericTransform",
    "Table",
    "as_array",
    "category_texts",
    "check_transform",
    "is_absent",
]

NumericTransform = Literal["quantile", "standardize"]
"""How numeric columns are scaled: made normal by their quantiles, or to mean 0 and deviation 1."""

_TRANSFORMS: tuple[NumericTransform, ...] = ("quantile", "standardize")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Table:
    """Named columns, raw: nothing is filled, scaled or encoded yet.

    Args:
        names: Names of the columns, each once.
        columns: One array a column, all of one length: float64 with NaN where a number is
            missing, or objects, strings with None where a category is missing.
        numeric: How the numeric columns are to be scaled.
        layout: Which features there are to be; None leaves it to the rows that are fitted.
    """

    names: tuple[str, ...]
    columns: tuple[NDArray[np.generic], ...]
    numeric: NumericTransform = "quantile"
    layout: "TableEncoder | None" = None

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def __repr__(self) -> str:
        return f"Table({len(self)} rows of {len(self.names)} columns)"

    def __getitem__(self, rows: NDArray[np.integer] | NDArray[np.bool_] | slice) -> "Table":
        """Return some of the rows."""
        columns = tuple(column[rows] for column in self.columns)
        return replace(self, columns=columns)

    @property
    def categorical(self) -> tuple[bool, ...]:
        """Which columns hold categories."""
        return tuple(column.dtype.kind == "O" for column in self.columns)


def check_transform(name: str) -> NumericTransform:
    """Return the name of a transform of numeric columns.

    Raises:
        DataError: There is none of this name.
    """
    for known in _TRANSFORMS:
        if known == name:
            return known
    raise DataError(
        f"numeric columns cannot be scaled by {name!r}.",
        where="numeric=…",
        fix=f"use one of {', '.join(_TRANSFORMS)}.",
    )


def as_array(x: Any) -> NDArray[np.generic]:
    """Return arrays, tensors of any device, pandas series and tables, and lists as an array."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        # NumPy has no bfloat16.
        x = (x.float() if x.is_floating_point() and x.itemsize < 4 else x).numpy()
    if hasattr(x, "columns"):
        return np.asarray(x.to_numpy())
    if hasattr(x, "to_numpy"):
        # Of a pandas series: its own types of text and of whole numbers with gaps.
        told = x.dtype.kind in "biufM" and not x.hasnans
        x = x.to_numpy() if told else x.to_numpy(dtype=object, na_value=None)
    return np.asarray(x)


def category_texts(values: NDArray[np.generic]) -> NDArray[np.object_]:
    """Return categories in one spelling: strings, and None where one is missing.

    A whole number reads the same whether it came as ``3``, ``3.0`` or ``"3.0"``, because a
    file's column of whole numbers becomes one of floats as soon as a value is missing.
    """
    if values.dtype.kind == "f":
        return _spelled(np.asarray(values, dtype=np.float64))
    texts = np.empty(len(values), dtype=object)
    spellings: dict[object, str | None] = {}
    for row, value in enumerate(values.tolist()):
        # Equal keys need equal spellings: True == 1, but they are not spelled alike.
        key = (type(value), value)
        try:
            if key not in spellings:
                spellings[key] = _text(value)
            texts[row] = spellings[key]
        except TypeError:  # a list or a dictionary cannot be a key
            texts[row] = _text(value)
    return texts


def is_absent(values: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return where a category is missing."""
    return np.fromiter((v is None for v in values.tolist()), dtype=np.bool_, count=len(values))


def _spelled(numbers: NDArray[np.float64]) -> NDArray[np.object_]:
    distinct, places = np.unique(numbers, return_inverse=True)
    spelled = np.array([_text(number) for number in distinct.tolist()], dtype=object)
    return spelled[places]


def _text(value: object) -> str | None:
    if value is None or type(value).__name__ == "NAType":
        return None
    # NaN and NaT are the values that differ from themselves.
    if value != value:  # noqa: PLR0124
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    whole, point, zeros = text.partition(".")
    if point and zeros and not zeros.strip("0") and whole.lstrip("-").isdecimal():
        return whole
    return text or None
