"""Every trial is trained to the end."""

import math

from ripieno.records import Order, Outcome
from ripieno.schedulers.counts import check_count
from ripieno.schedulers.nursery import Nursery
from ripieno.searchers import Searcher

__all__ = ["FullBudget"]


class FullBudget:
    """Gives each trial one order, from its beginning to the last epoch.

    The searcher observes trials in the order of their numbers: an outcome waits until all
    trials before it have told theirs. A searcher that learns has therefore observed more or
    less when a trial is created, as the outcomes arrive; its suggestions depend on that.
    For a searcher that does not learn, the trials are the same whatever the arrival.

    Args:
        searcher: What proposes the configs.
        epochs: Epochs that each trial is trained for.
        trials: How many trials; None goes on until the searcher is exhausted.

    Raises:
        SearchError: A number is out of range.
    """

    def __init__(self, searcher: Searcher, *, epochs: int, trials: int | None = None) -> None:
        where = f"FullBudget({epochs=}, {trials=})"
        self._epochs = check_count("epochs", epochs, where=where)
        self._limit = math.inf if trials is None else check_count("trials", trials, where=where)
        self._nursery = Nursery(searcher)
        self._observed = 0
        self._told: set[int] = set()

    def ask(self, slots: int) -> list[Order]:
        """Return up to ``slots`` new trials' orders; fewer at the end of the search."""
        orders: list[Order] = []
        while len(orders) < slots and self._nursery.created < self._limit:
            order = self._nursery.create(epochs=self._epochs)
            if order is None:
                break
            orders.append(order)
        return orders

    def tell(self, outcome: Outcome) -> None:
        """Enter an outcome.

        Raises:
            SearchError: No such order is out, or the outcome is not final.
        """
        self._told.add(self._nursery.settle(outcome).id)
        ready: list[int] = []
        while self._observed in self._told:
            self._told.remove(self._observed)
            ready.append(self._observed)
            self._observed += 1
        if ready:
            self._nursery.observe(ready)
            self._nursery.forget(ready)

    def is_over(self, trial: int) -> bool:
        """Say whether a trial has come to its end; see :class:`ripieno.schedulers.Concluding`."""
        return self._nursery.is_over(trial)

    def extend(self, trials: int | None = None) -> None:
        """Let more trials come; see :class:`ripieno.schedulers.Extendable`."""
        self._limit = self._limit if trials is None else trials
        self._nursery.reopen()

    @property
    def planned(self) -> int | None:
        """The number of trials; None while it is unknown when the searcher will end."""
        if self._nursery.exhausted:
            return self._nursery.created
        return None if math.isinf(self._limit) else int(self._limit)
