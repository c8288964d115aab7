"""How an attempt at training rows together ended."""

from dataclasses import dataclass

from ripieno.population.group import Group
from ripieno.population.width import Width

__all__ = ["Attempt", "notes_of"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt at training a part ended.

    Args:
        notes: How it was trained, or why not.
        trained: Whether it was, to the end of its orders.
        width: How many of its rows could be trained together; None if they must be alone.
        going: Whether it has not ended yet.
    """

    notes: str
    trained: bool = False
    width: int | None = None
    going: bool = False


def notes_of(group: Group, width: Width) -> str:
    """Say how a stack was trained, and why so many rows together."""
    rows, _, how = group.notes.partition("; ")
    return f"{rows} ({width.reason}); {how}" if width.reason else group.notes
