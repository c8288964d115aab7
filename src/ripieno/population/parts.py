"""Rows that are trained together, and how they are divided when they are too many."""

from collections.abc import Sequence
from dataclasses import dataclass

from ripieno.population.group import Row
from ripieno.recipes import State
from ripieno.records import OutcomeStatus

__all__ = ["Part", "shares"]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows, and what each of them goes on from.

    Args:
        rows: The rows.
        stored: A state for each, or None for one that starts anew.
    """

    rows: tuple[Row, ...]
    stored: tuple[State | None, ...]

    @property
    def ended(self) -> tuple[Row, ...]:
        """The rows that need no more training: done, or diverged."""
        return tuple(row for row in self.rows if row.status is not OutcomeStatus.STOPPED)

    def left(self) -> "Part":
        """Return the rows that go on, each from the last epoch that it finished."""
        pairs = [
            (row, stored if row.finished is None else row.finished.state)
            for row, stored in zip(self.rows, self.stored, strict=True)
            if row.status is OutcomeStatus.STOPPED
        ]
        return Part(tuple(row for row, _ in pairs), tuple(state for _, state in pairs))

    def divide(self, width: int) -> list["Part"]:
        """Return parts of at most ``width`` rows, the order kept."""
        found, begin = [], 0
        for share in shares(len(self.rows), width):
            end = begin + share
            found.append(Part(self.rows[begin:end], self.stored[begin:end]))
            begin = end
        return found


def shares(count: int, width: int) -> Sequence[int]:
    """Divide a number of rows into as few stacks as possible, and those as evenly.

    Even stacks have one shape, so that what was traced or compiled for one serves the next.

    Args:
        count: Rows in all.
        width: Rows of one stack at most.
    """
    stacks = -(-count // width)
    return [count // stacks + (number < count % stacks) for number in range(stacks)]
