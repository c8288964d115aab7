"""Names as messages show them."""

import difflib
from collections.abc import Sequence

__all__ = ["closest", "quoted"]

_SHOWN = 5


def quoted(names: Sequence[str]) -> str:
    """Return the first five names in quotation marks, and how many more there are."""
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def closest(name: str, choices: Sequence[str]) -> str:
    """Return `` Did you mean 'age'?`` where a choice looks like the name, else nothing."""
    found = difflib.get_close_matches(name, choices, n=1)
    return f" Did you mean {found[0]!r}?" if found else ""
