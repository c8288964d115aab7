"""Which columns of a table are numbers, which are categories, and which are neither.

A column of dates, of free text, of identifiers or of one value only teaches a network
nothing, or teaches it the training rows by heart: it is refused by name, with what to do.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes.tables import category_texts
from ripieno.recipes.words import closest, quoted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["column_kinds", "raw_values", "require_columns"]

_FEW_CATEGORIES = 20
_LONG_TEXT = 60
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    rf"""\d{{4}}-\d{{1,2}}(-\d{{1,2}})?([ T]\d{{1,2}}:\d{{2}}.*)?  # 2024-01-31 12:00
    |\d{{4}}/\d{{1,2}}/\d{{1,2}}(\ .*)?
    |\d{{1,2}}/\d{{1,2}}/(\d{{2}}|\d{{4}})(\ .*)?
    |\d{{1,2}}(?P<dot>[.-])\d{{1,2}}(?P=dot)\d{{4}}(\ .*)?
    |\d{{1,2}}:\d{{2}}(:\d{{2}}.*)?                             # a time of day
    |\d{{1,2}}[ -]({_MONTHS})[a-z]*\.?[ -,]*\d{{2,4}}
    |({_MONTHS})[a-z]*\.?\ \d{{1,2}},?\ \d{{4}}""",
    re.IGNORECASE | re.VERBOSE,
)
_DRESSED_NUMBER = re.compile(r"[-+(]?\s*[$€£¥]?\s*\d[\d.,' ]*\s*([%$€£¥)]|[a-z]{1,2})?", re.I)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_COUNTERS = frozenset({"index", "idx", "row", "rownum", "row_number", "rowid", "number", "nr"})


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a column is, or why it cannot be a feature.

    Args:
        categorical: Whether it holds categories.
        problem: What goes on after the column's name; None where it can be a feature.
        remedy: What to do besides dropping it.
    """

    categorical: bool = False
    problem: str | None = None
    remedy: str = ""


_NUMBERS = _Finding()
_CATEGORIES = _Finding(categorical=True)


def column_kinds(
    frame: "pd.DataFrame", *, categorical: Collection[str] = (), where: str
) -> dict[str, bool]:
    """Say for each column of a table whether it holds categories, else numbers.

    Args:
        frame: The feature columns.
        categorical: Columns that hold categories whatever they look like.
        where: Where the table comes from.

    Raises:
        DataError: A column can be neither.
    """
    require_columns(sorted(categorical), [str(c) for c in frame.columns], where=where)
    found = {
        str(name): _inspect(str(name), frame[name], told=str(name) in categorical)
        for name in frame.columns
    }
    refused = {name: finding for name, finding in found.items() if finding.problem}
    if refused:
        raise _refusal(refused, where)
    if not found:
        raise DataError(
            "no column is left for the features.",
            where=where,
            fix="give at least one column beside the target.",
        )
    return {name: finding.categorical for name, finding in found.items()}


def require_columns(names: Iterable[str], present: Sequence[str], *, where: str) -> None:
    """Refuse a name that is no column.

    Raises:
        DataError: There is no such column.
    """
    for name in names:
        if name not in present:
            raise DataError(
                f"there is no column {name!r}.",
                where=f"{where}: {', '.join(present)}",
                fix="name one of the columns." + closest(name, present),
            )


def raw_values(series: "pd.Series") -> NDArray[np.generic]:
    """Return a column as numbers with NaN where one is missing, else as objects."""
    if series.dtype.kind in "biuf":
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(series.to_numpy(dtype=object))


def _inspect(name: str, series: "pd.Series", *, told: bool) -> _Finding:
    if series.isna().all():
        return _Finding(problem="is empty")
    if series.dtype.kind in "Mm" and not told:
        return _dates(series.dropna().iloc[0])
    if told:
        return _constant(series) or _CATEGORIES
    if series.dtype.kind in "biuf":
        return _constant(series) or _identifier(name, raw_values(series)) or _NUMBERS
    odd = {type(v).__name__ for v in series if isinstance(v, list | dict | bytes | np.ndarray)}
    if odd:
        return _Finding(problem=f"holds {' and '.join(sorted(odd))} objects")
    if str(series.dtype) == "category":
        return _constant(series) or _CATEGORIES
    texts = category_texts(raw_values(series))
    return _constant(series) or _text([text for text in texts.tolist() if text is not None])


def _constant(series: "pd.Series") -> _Finding | None:
    first = series.iloc[0]
    if series.isna().any() or not bool((series == first).all()):
        return None
    return _Finding(problem=f"holds the same value in every row ({str(first)[:40]!r})")


def _identifier(name: str, values: NDArray[np.generic]) -> _Finding | None:
    """Whole numbers that are called an id are no measurement."""
    known = values[~np.isnan(values)]
    words = {word.lower() for word in _WORD.findall(name)}
    called_id = bool(words & {"id", "uuid", "guid"})
    if not (called_id or name.lower() in _COUNTERS) or (known != np.floor(known)).any():
        return None
    distinct = len(np.unique(known))
    if distinct == len(known) or (called_id and distinct > len(known) / 2):
        return _one_a_row(distinct, len(known))
    return _CATEGORIES if called_id else None


def _text(values: list[str]) -> _Finding:
    distinct = sorted(set(values))
    numbers = [text for text in distinct if _is_number(text)]
    if len(numbers) == len(distinct):
        return _NUMBERS
    if _most(distinct, _DATE):
        return _dates(values[0])
    if len(distinct) > _FEW_CATEGORIES:
        if len(numbers) > len(distinct) / 2:
            return _mixed(values)
        if _most(distinct, _DRESSED_NUMBER):
            return _Finding(
                problem=f"holds numbers that are written as text (for example {values[0]!r})",
                remedy="write them as plain numbers, without signs and thousands separators",
            )
    long = sum(map(len, distinct)) / len(distinct) > _LONG_TEXT and len(distinct) > _FEW_CATEGORIES
    if long or len(distinct) > max(_FEW_CATEGORIES // 2, len(values) / 2):
        return _one_a_row(len(distinct), len(values), example=values[0])
    return _CATEGORIES


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lower() in {"true", "false"}
    return True


def _most(texts: list[str], pattern: re.Pattern[str]) -> bool:
    some = texts[:: max(1, len(texts) // 200)]
    return sum(pattern.fullmatch(text) is not None for text in some) > 0.9 * len(some)


def _dates(example: object) -> _Finding:
    return _Finding(
        problem=f"holds dates or times (for example {str(example)[:40]!r})",
        remedy="turn it into numbers that mean something (year, month, weekday, days since a "
        "day), or split by it with time=… (--time COLUMN)",
    )


def _one_a_row(distinct: int, rows: int, *, example: str | None = None) -> _Finding:
    shown = "" if example is None else f" (for example {example[:40]!r})"
    return _Finding(
        problem=f"holds free text or identifiers{shown}: {distinct} different values in {rows} "
        "rows",
        remedy="if it says which rows belong together, split by it with groups=… "
        "(--groups COLUMN); if it holds categories all the same, name it in categorical=… "
        "(--categorical COLUMN)",
    )


def _mixed(values: list[str]) -> _Finding:
    odd = next(text for text in values if not _is_number(text))
    count = sum(not _is_number(text) for text in values)
    return _Finding(
        problem=f"mixes numbers and text: {count} of {len(values)} values are no numbers "
        f"(the first is {odd[:40]!r})",
        remedy="leave those values empty or correct them, or name it in categorical=… "
        "(--categorical COLUMN)",
    )


def _refusal(refused: dict[str, _Finding], where: str) -> DataError:
    names = list(refused)
    dropped = f"drop=({', '.join(map(repr, names))},)"
    options = " ".join(f"--drop {name}" for name in names)
    if len(names) == 1:
        finding = refused[names[0]]
        remedy = f"{finding.remedy}, or drop it" if finding.remedy else "drop it"
        return DataError(
            f"the column {names[0]!r} {finding.problem}.",
            where=where,
            fix=f"{remedy}: {dropped} ({options}).",
        )
    reasons = "; ".join(f"{name!r} {refused[name].problem}" for name in names[:5])
    more = f"; and {len(names) - 5} more: {quoted(names[5:])}" if len(names) > 5 else ""
    return DataError(
        f"{len(names)} columns cannot be features: {reasons}{more}.",
        where=where,
        fix=f"mend them, or drop them: {dropped} ({options}).",
    )
