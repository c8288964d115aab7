"""One column of a table as a network reads it, fitted on the training part.

A number is made standard or normal; where numbers are missing, the median takes their place
and a second feature says so. A category is one feature of zeros and ones for each category
(one-hot), or, where there are many, one whole number that the network looks up a learned
vector for (an embedding).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ripieno.recipes.quantiles import normal_scores, quantiles
from ripieno.recipes.tables import NumericTransform, is_absent

__all__ = ["MOST_ONE_HOT", "CategoricalColumn", "NumericColumn"]

MOST_ONE_HOT = 64
"""Categories of a column that get a feature each; a column with more is embedded."""

_MOST_CATEGORIES = 10_000
_FEW_VALUES = 10
"""A column of fewer different numbers is scaled alone: its quantiles are no more than them."""
_FAR = 1e9
"""No scaled number is further out; a new row may be, where training was nearly constant."""


@dataclass(frozen=True, slots=True)
class NumericColumn:
    """A column of numbers: centred and scaled, or made normal.

    Args:
        name: The column.
        fill: What takes the place of a missing number: the median.
        indicator: Whether a second feature says where a number is missing.
        center: What is subtracted.
        scale: What the rest is divided by; 1 for a constant column.
        quantiles: Of the training part, ascending; empty where the column is only scaled.
    """

    name: str
    fill: float
    indicator: bool
    center: float
    scale: float
    quantiles: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls,
        name: str,
        values: NDArray[np.float64],
        *,
        numeric: NumericTransform,
        indicator: bool | None = None,
    ) -> Self:
        """Learn from the training part.

        Args:
            name: The column.
            values: float64 with NaN for what is missing.
            numeric: How it is to be scaled.
            indicator: Whether there is to be one; None where something is missing.
        """
        known = values[~np.isnan(values)]
        if indicator is None:
            indicator = 0 < len(known) < len(values)
        if not len(known):
            return cls(name, fill=0.0, indicator=indicator, center=0.0, scale=1.0)
        # Zero of a constant column, and where squares of tiny numbers are no longer any.
        deviation = float(known.std()) if known.min() < known.max() else 0.0
        made_normal = numeric == "quantile" and len(np.unique(known)) >= _FEW_VALUES
        return cls(
            name,
            fill=float(np.median(known)),
            indicator=indicator,
            center=float(known.mean()),
            scale=deviation or 1.0,
            quantiles=tuple(quantiles(known).tolist()) if made_normal else (),
        )

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scaled numbers, the gaps filled, shape ``(rows,)``."""
        filled = np.where(np.isnan(values), self.fill, values)
        if self.quantiles:
            return normal_scores(filled, np.array(self.quantiles))
        scaled: NDArray[np.float64] = np.clip((filled - self.center) / self.scale, -_FAR, _FAR)
        return scaled


@dataclass(frozen=True, slots=True)
class CategoricalColumn:
    """A column of categories as whole numbers.

    Zero is what was never seen in training; then come the categories, then, where the
    training part had them, what is missing and what is rare. A category that is unseen or
    missing for the first time is taken for a rare one, if there were any.

    Args:
        name: The column.
        categories: Those with numbers of their own, ascending.
        missing: Whether what is missing has a number of its own.
        rare: Whether rare categories have one together.
    """

    name: str
    categories: tuple[str, ...]
    missing: bool
    rare: bool

    @classmethod
    def fit(cls, name: str, values: NDArray[np.object_]) -> Self:
        """Learn from the training part: strings with None for what is missing."""
        fewest = _fewest_rows(len(values))
        absent = is_absent(values)
        found, counts = np.unique(values[~absent].astype(str), return_counts=True)
        # The most frequent ones, where even those are too many; ties by name.
        order = np.lexsort((found, -counts))[:_MOST_CATEGORIES]
        kept = sorted(str(found[i]) for i in order if counts[i] >= fewest)
        missing = int(absent.sum()) >= fewest
        return cls(
            name,
            categories=tuple(kept),
            missing=missing,
            rare=len(kept) < len(found) or (bool(absent.any()) and not missing),
        )

    @property
    def cardinality(self) -> int:
        """Numbers that the column can hold, zero included."""
        return 1 + len(self.categories) + self.missing + self.rare

    @property
    def embedded(self) -> bool:
        """Whether it is one whole number for an embedding instead of zeros and ones."""
        return self.cardinality - 1 > MOST_ONE_HOT

    def codes(self, values: NDArray[np.object_]) -> NDArray[np.int64]:
        """Return the number of each value, int64, shape ``(rows,)``."""
        numbers = {category: code for code, category in enumerate(self.categories, start=1)}
        unseen = self.cardinality - 1 if self.rare else 0
        none = len(self.categories) + 1 if self.missing else unseen
        codes = (none if v is None else numbers.get(v, unseen) for v in values.tolist())
        return np.fromiter(codes, dtype=np.int64, count=len(values))

    def apply(self, values: NDArray[np.object_]) -> NDArray[np.float64]:
        """Return zeros and ones, shape ``(rows, cardinality - 1)``; unseen rows are zero."""
        return np.eye(self.cardinality)[self.codes(values), 1:]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the zeros and ones."""
        extra = ["missing"] * self.missing + ["rare"] * self.rare
        return (
            *(f"{self.name} = {category}" for category in self.categories),
            *(f"{self.name} is {word}" for word in extra),
        )


def _fewest_rows(rows: int) -> int:
    """Training rows below which a category is rare: one in two thousand, at most ten."""
    return min(10, -(-rows // 2000))
