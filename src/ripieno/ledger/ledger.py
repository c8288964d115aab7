"""The protocol of the record of a study."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ripieno.records import Change, Order, Outcome, Trial

__all__ = ["Ledger"]


class Ledger(Protocol):
    """What happened in one study, in the order in which it happened."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """JSON-able facts that were written when the study was created; never changed."""

    def record(
        self,
        *,
        orders: Sequence[Order] = (),
        outcomes: Sequence[Outcome] = (),
        changes: Sequence[Change] = (),
        clock: float = 0.0,
    ) -> list[Outcome]:
        """Write outcomes, changes and orders, in this sequence, in one transaction.

        Args:
            orders: Orders that are about to be carried out.
            outcomes: What earlier orders gave. A ``stopped`` outcome keeps its order open:
                its rows of metrics and its state are stored, and :meth:`open_orders` gives
                the rest of the order.
            changes: What a user changed in the study, before the orders and after the outcomes.
            clock: Seconds that the study has been running, over all its sessions.

        Returns:
            The final ones among the outcomes, as :meth:`events` gives them: with the order
            as the scheduler gave it and the rows of all its parts. This is what a scheduler
            is told, so that a replay tells it the same.

        Raises:
            LedgerError: The record cannot be written (a full disk, a lost file).
        """

    def events(self) -> Iterator[Order | Outcome | Change]:
        """Yield orders, final outcomes and changes in the sequence in which they were recorded.

        Orders come as the scheduler gave them (``state`` is None), outcomes with the rows
        of metrics of the whole order. A scheduler that is asked for one order at each order,
        told each outcome and changed at each change stands afterwards where it stood when the
        record ended.
        """

    def open_orders(self) -> list[Order]:
        """Return the orders without a final outcome, each as what is left of it.

        ``start`` is the epoch reached by stored states and ``state`` the key of that state;
        for an order that has not begun, the state that the trial (or its parent) had when
        the order was given.
        """

    def trials(self) -> list[Trial]:
        """Return every trial by number, as far as it got."""

    @property
    def changes(self) -> Sequence[Change]:
        """The changes among the :meth:`events`, without reading all the others."""

    @property
    def clock(self) -> float:
        """Seconds that the study has been running, as of the last record."""

    def close(self) -> None:
        """Let go of files and connections; everything recorded is on disk already."""
