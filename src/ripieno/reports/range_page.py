"""The picture of a learning-rate range test as one HTML file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ripieno.errors import ReportError
from ripieno.reports.figures import learning_rate_range

if TYPE_CHECKING:
    from ripieno.diagnostics import RangeTest

__all__ = ["write_range_test"]


def write_range_test(
    tested: "RangeTest", path: str | os.PathLike[str], *, current: float | None = None
) -> Path:
    """Write the picture of a range test; the file needs nothing else.

    Args:
        tested: The range test.
        path: The file; its folder is made if need be.
        current: The learning rate that the training has.

    Returns:
        The file.

    Raises:
        ReportError: No loss was finite, or the file cannot be written.
    """
    target = Path(path)
    text = learning_rate_range(tested, current=current).to_html(include_plotlyjs=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"the picture cannot be written: {error.strerror or error}.",
            where=str(target),
            fix="give the name of a file in a folder that can be written.",
        ) from error
    return target
