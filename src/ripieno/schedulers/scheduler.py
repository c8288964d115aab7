"""The protocol of everything that decides who trains how long."""

from typing import Protocol, runtime_checkable

from ripieno.records import Order, Outcome

__all__ = ["Concluding", "Extendable", "Scheduler"]


class Scheduler(Protocol):
    """Says who trains how long; it touches no tensor, no file and no database.

    A scheduler owns a searcher and numbers its trials from 0 in the order of creation.
    ``ask(a)`` followed by ``ask(b)`` gives the same orders as ``ask(a + b)``, so that a run
    is replayed from the record of its orders and outcomes alone. A synchronous scheduler
    gives every trial the same orders whatever the order in which outcomes arrive.
    """

    def ask(self, slots: int) -> list[Order]:
        """Return up to ``slots`` orders that can start now.

        Fewer mean that the rest hangs on outcomes that are still out; none with no outcome
        out means that the search is over.
        """

    def tell(self, outcome: Outcome) -> None:
        """Learn what an order gave. Only final outcomes are told, never ``stopped`` ones."""

    @property
    def planned(self) -> int | None:
        """The number of orders the whole search will give, for a progress bar.

        None where it cannot be known.
        """


@runtime_checkable
class Concluding(Protocol):
    """A scheduler that knows which trials have come to their end."""

    def is_over(self, trial: int) -> bool:
        """Say whether no order will ever be given for a trial again, nor a copy be made of it."""


@runtime_checkable
class Extendable(Protocol):
    """A scheduler that can be given more to do when it has begun, or has ended."""

    def extend(self, trials: int | None = None) -> None:
        """Let more trials come.

        Args:
            trials: How many are started in all, at least as many as before; None leaves it,
                and asks a searcher again that had no more configs.
        """
