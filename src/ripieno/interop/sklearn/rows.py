"""Rows and targets as scikit-learn checks them, and as Ripieno reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from ripieno.recipes import TaskName

__all__ = ["check_rows", "check_targets", "column_names", "new_rows"]


def is_frame(x: object) -> bool:
    """Say whether it is a pandas DataFrame; pandas is not imported to know it."""
    return hasattr(x, "columns") and hasattr(x, "iloc")


def check_rows(estimator: Any, x: Any, y: Any, *, reset: bool) -> Any:
    """Return features that an estimator can read, and note their number and names.

    A DataFrame stays one, its columns called by texts: it may hold categories and gaps.
    Everything else becomes an array of numbers, in which NaN is a missing value.

    Args:
        estimator: Whose rows they are.
        x: Features, shape ``(rows, *features)``.
        y: Targets, ``None`` if they are missing; ``"no_validation"`` where there are none.
        reset: Whether the estimator is fitted on them.

    Raises:
        ValueError: scikit-learn does not allow such rows.
    """
    if is_frame(x):
        validate_data(estimator, x, y, reset=reset, skip_check_array=True)
        if y is not None and not isinstance(y, str):
            check_consistent_length(x, y)
        return x.set_axis([str(name) for name in x.columns], axis=1)
    if y is None:
        validate_data(estimator, x, y, reset=reset, skip_check_array=True)
    checked: NDArray[Any] = validate_data(
        estimator,
        x,
        reset=reset,
        dtype="numeric",
        allow_nd=True,
        ensure_all_finite="allow-nan",
        ensure_min_samples=2 if reset else 1,
    )
    if y is not None and not isinstance(y, str):
        check_consistent_length(checked, y)
    return checked


def check_targets(y: Any, *, classifier: bool) -> tuple[NDArray[Any], TaskName]:
    """Return targets as an array, and what they ask for.

    Raises:
        ValueError: They are missing somewhere, or of another kind than the estimator is for.
    """
    y = check_array(
        y, ensure_2d=False, dtype=None if classifier else "numeric", input_name="y",
        ensure_all_finite=True,
    )  # fmt: skip
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if not classifier:
        return np.asarray(y, dtype=np.float64), "regression"
    check_classification_targets(y)
    several = type_of_target(y, input_name="y") == "multilabel-indicator"
    return y, "multilabel" if several else "classification"


def column_names(x: Any) -> list[str] | None:
    """Return the columns of a frame that :func:`check_rows` returned; None for an array."""
    return list(x.columns) if is_frame(x) else None


def new_rows(x: Any, columns: Sequence[str] | None) -> Any:
    """Return checked rows in the form of those that an estimator was fitted on.

    Args:
        x: What :func:`check_rows` returned.
        columns: Names of the columns of the frame it was fitted on; None for an array.
    """
    if columns is None:
        return x.to_numpy() if is_frame(x) else x
    if is_frame(x):
        return x
    import pandas as pd

    return pd.DataFrame(x, columns=list(columns))
