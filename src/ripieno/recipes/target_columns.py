"""Which columns of a table are predicted, and their values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes import files
from ripieno.recipes.inspection import require_columns
from ripieno.recipes.splits import refuse_missing
from ripieno.recipes.words import quoted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["find_targets", "read_target_columns"]

_USUAL_TARGETS = frozenset({"target", "label", "class", "y"})


def find_targets(
    said: str | Sequence[str] | None, names: Sequence[str], *, where: str
) -> tuple[str, ...]:
    """Return the names of the columns that are predicted.

    Args:
        said: A name, several, or several in one text with commas between them; None for the
            one column that is called target, label, class or y.
        names: The columns of the table.
        where: Where the table comes from.

    Raises:
        DataError: One is no column or is named twice, or none looks like a target.
    """
    if said is None:
        return (_usual_target(names, where),)
    told = [said] if isinstance(said, str) else said
    # A comma may be part of a name: a column of that name goes first.
    columns = [
        column
        for name in told
        for column in ([name] if name in names else [part.strip() for part in name.split(",")])
    ]
    require_columns(columns, names, where=where)
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise DataError(
            f"the target column {twice[0]!r} is named {columns.count(twice[0])} times.",
            where=f"{where}: target = {said!r}",
            fix="name every column once.",
        )
    return tuple(columns)


def read_target_columns(
    frame: "pd.DataFrame", columns: Sequence[str], *, where: str
) -> NDArray[np.generic]:
    """Return the targets: ``(rows,)`` of one column, numbers ``(rows, columns)`` of several.

    Raises:
        DataError: One of several columns holds no numbers, or lacks some.
    """
    read = [files.column(frame, column, where) for column in columns]
    if len(read) == 1:
        return read[0]
    for column, values in zip(columns, read, strict=True):
        if values.dtype.kind not in "biuf":
            shown = next((repr(value) for value in values.tolist() if value is not None), "nothing")
            raise DataError(
                f"the target column {column!r} holds {shown}, and several targets are numbers.",
                where=f"{where}: targets {quoted(columns)}",
                fix="write 1 where a row has the label and 0 where it has not, or measurements.",
            )
        refuse_missing(np.isnan(values.astype(np.float64)), f"{where}, column {column!r}")
    numbers: NDArray[np.generic] = np.stack(read, axis=1)
    return numbers


def _usual_target(names: Sequence[str], where: str) -> str:
    found = [name for name in names if name.strip().lower() in _USUAL_TARGETS]
    if len(found) == 1:
        return found[0]
    problem = "several columns could be the target" if found else "no column looks like a target"
    raise DataError(
        f"{problem}{': ' + ', '.join(map(repr, found)) if found else ''}.",
        where=f"{where}: {', '.join(names)}",
        fix="name the target column: target=… (or --target COLUMN).",
    )
