"""Tables in files, CSV and Parquet, as pandas reads them, with what can be wrong in words."""

import csv
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes.encoding import as_kind
from ripieno.recipes.inspection import raw_values
from ripieno.recipes.tables import NumericTransform, Table
from ripieno.recipes.words import closest, quoted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["frame_of", "read_csv", "read_frame", "read_parquet", "table_of"]

_SEPARATORS = (",", ";", "\t", "|")
_ALSO_MISSING = ["?"]  # beside what pandas takes for missing: nothing, NA, NaN, null, None, …


def read_frame(path: Path, *, texts: Collection[str] = ()) -> "pd.DataFrame":
    """Return the table of a ``.csv`` or ``.parquet`` file.

    Args:
        path: The file; its suffix says of which kind it is.
        texts: Columns that are kept as the text that a CSV file holds, such as ``007``.

    Raises:
        DataError: It cannot be read, holds no rows, or names its columns badly.
    """
    csv_file = path.suffix.lower() == ".csv"
    table = read_csv(path, texts=texts) if csv_file else read_parquet(path)
    if table.empty:
        raise DataError(
            f"{path.name!r} holds no rows.",
            where=str(path),
            fix="give a file with a header line and one line an example."
            if csv_file
            else "give a file with one row an example.",
        )
    return table


def read_csv(path: Path, *, texts: Collection[str] = ()) -> "pd.DataFrame":
    """Return the table of a CSV file with a header line, UTF-8.

    The separator is a comma, or the semicolon, tab or bar that the header line has in its
    place. A question mark counts as missing, as an empty cell does.

    Raises:
        DataError: The file is damaged, not text, without a header, or names a column twice.
    """
    import pandas as pd

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            separator = next((s for s in _SEPARATORS if s in first), ",")
            header = next(csv.reader(file, delimiter=separator, skipinitialspace=True), [])
        _refuse_numbers(header, path)
        _refuse_duplicates(header, path)
        with warnings.catch_warnings():
            # Rows that are longer than the header would be cut with no more than a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                sep=separator,
                encoding="utf-8-sig",
                index_col=False,
                skipinitialspace=True,
                na_values=_ALSO_MISSING,
                dtype=dict.fromkeys(texts, str),
                low_memory=False,  # in pieces, one column could get two types
            )
    except (OSError, UnicodeError, csv.Error, ValueError, pd.errors.ParserWarning) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path.name!r} cannot be read as CSV: {str(error).rstrip('.')}.".replace("\n", " "),
            where=str(path),
            fix="give comma-separated UTF-8 text whose first line names the columns.",
        ) from error
    _refuse_values(table, path)
    return table


def read_parquet(path: Path) -> "pd.DataFrame":
    """Return the table of a Parquet file; an index that it holds is not read.

    Raises:
        DataError: The file is damaged, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(
            "Parquet files are read with pyarrow, which is not installed.",
            where=str(path),
            fix='install it: pip install "ripieno[parquet]", or give the table as .csv.',
        ) from error
    try:
        frame: pd.DataFrame = parquet.read_table(path).to_pandas()
    except (OSError, pa.ArrowException) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise DataError(
            f"{path.name!r} cannot be read as Parquet: {lines[0].rstrip('.')}.",
            where=str(path),
            fix="write the file again, for example with pandas.DataFrame.to_parquet.",
        ) from error
    frame = frame.reset_index(drop=True)
    return frame.rename(columns=str)


def frame_of(arrays: Mapping[str, NDArray[np.generic]], path: Path) -> "pd.DataFrame":
    """Return the array ``X`` of an archive as a table, its columns called by ``names``.

    Raises:
        DataError: There is not one name a column.
    """
    import pandas as pd

    x = arrays["X"]
    names = [f"column {i}" for i in range(x.shape[1])]
    if "names" in arrays:
        names = [str(name) for name in arrays["names"].ravel().tolist()]
    if len(names) != x.shape[1] or len(set(names)) != len(names):
        raise DataError(
            f"'names' holds {len(set(names))} different names for {x.shape[1]} columns.",
            where=str(path),
            fix="store one name for each column of X, or leave 'names' out.",
        )
    return pd.DataFrame(x, columns=names)


def table_of(
    frame: "pd.DataFrame",
    kinds: Mapping[str, bool],
    *,
    where: str,
    numeric: NumericTransform = "quantile",
) -> Table:
    """Return the columns that are named, in that order, as a table; others are not read.

    Args:
        frame: Holds the columns, in any order.
        kinds: For each column whether it holds categories.
        where: Where the frame comes from.
        numeric: How the numbers are to be scaled.

    Raises:
        DataError: A column is missing, or holds what it must not.
    """
    present = [str(name) for name in frame.columns]
    missing = [name for name in kinds if name not in present]
    if missing:
        several = len(missing) > 1
        raise DataError(
            f"the feature column{'s' if several else ''} {quoted(missing)} "
            f"{'are' if several else 'is'} missing.",
            where=f"{where}: {', '.join(present)}",
            fix="give every column that the model was trained on." + closest(missing[0], present),
        )
    named = dict(zip(present, frame.columns, strict=True))
    columns = tuple(
        as_kind(raw_values(frame[named[name]]), name, categorical=categorical, where=where)
        for name, categorical in kinds.items()
    )
    return Table(tuple(kinds), columns, numeric)


def _refuse_numbers(header: list[str], path: Path) -> None:
    counted = header == [str(position) for position in range(len(header))]
    if header and not counted and all(_is_number(cell) for cell in header):
        raise _no_header(header[0], path)


def _refuse_values(table: "pd.DataFrame", path: Path) -> None:
    """Refuse a first line that could as well be any other line of the table."""
    names = [str(name) for name in table.columns]
    numbers = [name for name in names if _is_number(name)]
    if not numbers or names[: len(numbers)] == [str(i) for i in range(len(numbers))]:
        return
    fits = all(
        table[name].dtype.kind in "iuf" if name in numbers else bool((table[name] == name).any())
        for name in names
    )
    if fits:
        raise _no_header(numbers[0], path)


def _no_header(cell: str, path: Path) -> DataError:
    return DataError(
        f"the first line holds values ({cell!r}, for example), not the names of the columns.",
        where=str(path),
        fix="put a line with one name a column above it.",
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse_duplicates(header: list[str], path: Path) -> None:
    # pandas would rename the second one, and a target could be the wrong one of two.
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(
            f"the column {twice[0]!r} stands {header.count(twice[0])} times in the header.",
            where=str(path),
            fix="name every column once, in the first line.",
        )
