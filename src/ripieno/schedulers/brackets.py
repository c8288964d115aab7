"""Brackets one after another, overlapping, so that no worker waits for a rung."""

from collections import deque
from collections.abc import Iterable, Sequence

from ripieno.records import Goal, Order, Outcome
from ripieno.schedulers.bracket import Bracket
from ripieno.schedulers.nursery import Nursery
from ripieno.schedulers.rungs import Plan

__all__ = ["Brackets"]


class Brackets:
    """What successive halving and Hyperband have in common.

    Trials that a rung has let through go on first; then new trials enter the newest
    bracket, whether or not older brackets wait for outcomes.

    Args:
        nursery: Where trials come from.
        goal: What ranks the trials of a rung.
        plans: The brackets in turn: all of them, or, where there is no end to them, an
            iterable that is no sequence.
    """

    def __init__(self, nursery: Nursery, goal: Goal, *, plans: Iterable[Plan]) -> None:
        self._nursery = nursery
        self._goal = goal
        self._begun = 0
        self.taken = 0
        """How many brackets have begun."""
        self.allotted = 0
        """How many trials these brackets hold when they are full."""
        self.replan(plans)
        self._newest: Bracket | None = None
        self._bracket_of: dict[int, Bracket] = {}
        self._ready: deque[tuple[int, int, int]] = deque()  # trial, start, stop

    @property
    def planned(self) -> int | None:
        """The number of orders in all; None while the brackets have no known end."""
        return self._promised

    def ask(self, slots: int) -> list[Order]:
        """Return up to ``slots`` orders that can start now."""
        orders: list[Order] = []
        while len(orders) < slots:
            order = self._survivor() or self._newcomer()
            if order is None:
                break
            orders.append(order)
        return orders

    def tell(self, outcome: Outcome) -> None:
        """Enter an outcome, and decide its rung if it was the last one of it.

        Raises:
            SearchError: No such order is out, the outcome is not final, or it does not
                hold a metric of the goal.
        """
        trial = self._nursery.settle(outcome)
        bracket = self._bracket_of[trial.id]
        bracket.tell(trial.id, self._goal.merit(trial))
        self._climb(bracket)

    def is_over(self, trial: int) -> bool:
        """Say whether a trial has come to its end; see :class:`ripieno.schedulers.Concluding`."""
        return self._nursery.is_over(trial)

    def replan(self, plans: Iterable[Plan]) -> None:
        """Begin these brackets after the newest one, and ask the searcher again if it had none."""
        self._nursery.reopen()
        known = isinstance(plans, Sequence)
        self._promised = self._begun + sum(plan.orders for plan in plans) if known else None
        self._plans = iter(plans)

    def _survivor(self) -> Order | None:
        """Order the next trial that a rung has let through."""
        if not self._ready:
            return None
        trial, start, stop = self._ready.popleft()
        return self._nursery.extend(trial, start=start, stop=stop)

    def _newcomer(self) -> Order | None:
        """Order a new trial, if there is room for one and the searcher has a config."""
        bracket = self._filling()
        if bracket is None:
            return None
        order = self._nursery.create(epochs=bracket.epochs)
        if order is None:
            self._end(bracket)
            return self._survivor()
        bracket.enter(order.trial)
        self._bracket_of[order.trial] = bracket
        return order

    def _filling(self) -> Bracket | None:
        """Return the bracket that new trials enter; None when there will be no more."""
        if self._nursery.exhausted:
            return None
        if self._newest is None or self._newest.full:
            plan = next(self._plans, None)
            if plan is None:
                return None
            self._newest = Bracket(plan)
            self._begun += self._newest.orders
            self.taken += 1
            self.allotted += plan.trials
        return self._newest

    def _end(self, bracket: Bracket) -> None:
        """Make do with the trials that there are: the searcher has no more."""
        before, planned = bracket.orders, bracket.places
        bracket.close()
        self.allotted -= planned - bracket.places
        self._begun += bracket.orders - before
        self._promised = self._begun
        # Its trials may have told already, while it seemed that more would come.
        self._climb(bracket)

    def _climb(self, bracket: Bracket) -> None:
        """Decide the bracket's present rung if all of its trials have told."""
        if not bracket.complete:
            return
        members, start, before = bracket.members, bracket.epochs, bracket.orders
        self._nursery.observe(members)
        survivors = bracket.decide()
        self._withdraw(before - bracket.orders)
        dropped = set(members).difference(survivors)
        self._nursery.forget(dropped)
        for trial in dropped:
            del self._bracket_of[trial]
        self._ready.extend((trial, start, bracket.epochs) for trial in survivors)

    def _withdraw(self, orders: int) -> None:
        """Count out orders that were planned for trials that diverged or failed."""
        self._begun -= orders
        if self._promised is not None:
            self._promised -= orders
