"""What a running study knows of itself, kept up to date one outcome at a time."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ripieno.ledger import Ledger
from ripieno.records import Goal, Objective, Order, Outcome, OutcomeStatus, Trial, TrialStatus

__all__ = ["Progress", "Tracker"]

_STATUS = {
    OutcomeStatus.DONE: TrialStatus.PAUSED,
    OutcomeStatus.DIVERGED: TrialStatus.DIVERGED,
    OutcomeStatus.FAILED: TrialStatus.FAILED,
    OutcomeStatus.STOPPED: TrialStatus.RUNNING,
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a study is, over all its sessions.

    Args:
        trials: Trials begun.
        orders: Orders with a final outcome.
        planned: Orders that the whole search will give, or None where it cannot be known.
        epochs: Epochs trained, of orders that are out too as far as they are heard of.
        seconds: Running time.
        best: The trial whose latest value of the objective is best, or None. Of several
            objectives the first one decides; a trial that breaks a limit is never it.
        running: Orders that are being carried out.
        outcome: The outcome that came last in this session, or None.
    """

    trials: int
    orders: int
    planned: int | None
    epochs: int
    seconds: float
    best: Trial | None
    running: int
    outcome: Outcome | None


class Tracker:
    """Trials as they stand, the best of them, and which stored arrays are still needed.

    It reads the ledger once; afterwards it is told every order and outcome, so that a step
    of the loop costs the same in a long study as in a short one.
    """

    def __init__(self, ledger: Ledger, objective: Objective | Goal) -> None:
        self._goal = Goal.of(objective)
        self._trials = {trial.id: trial for trial in ledger.trials()}
        self._orders: dict[int, tuple[float, ...]] = {}
        self._best: int | None = None
        self._uses: Counter[str | None] = Counter()
        self.epochs = 0
        self.orders = sum(isinstance(event, Outcome) for event in ledger.events())
        for trial in self._trials.values():
            self.epochs += len(trial.history)
            self._uses.update((trial.state, trial.predictions))
            self._rate(trial)
        self._uses.update(order.state for order in ledger.open_orders())

    @property
    def trials(self) -> int:
        """The number of trials begun."""
        return len(self._trials)

    @property
    def best(self) -> Trial | None:
        """The trial whose latest value is best; the lowest number among equals."""
        return None if self._best is None else self._trials[self._best]

    def give(self, order: Order) -> Order:
        """Note a new order and return it with the key of the state to start from."""
        known = self._trials.get(order.trial)
        source = known or self._trials.get(-1 if order.parent is None else order.parent)
        given = replace(order, state=None if source is None else source.state)
        self._uses[given.state] += 1
        self._trials[order.trial] = (
            replace(known, status=TrialStatus.RUNNING)
            if known is not None
            else Trial(
                id=order.trial,
                config=order.config,
                status=TrialStatus.RUNNING,
                first_epoch=order.start,
                parent=order.parent,
            )
        )
        return given

    def take(self, outcome: Outcome, seconds: float) -> list[str]:
        """Note an outcome and return the keys that nobody needs any more.

        Args:
            outcome: What an order gave; recorded already, so that a key is given up only
                when the one that replaces it is safe.
            seconds: Running time of the study.
        """
        before = self._trials[outcome.order.trial]
        kept = before.history[: outcome.order.start - before.first_epoch]
        after = replace(
            before,
            status=_STATUS[outcome.status],
            history=(*kept, *outcome.metrics),
            seconds=before.seconds + outcome.seconds,
            finished_at=seconds,
            state=outcome.state or before.state,
            predictions=outcome.predictions or before.predictions,
            error=outcome.error,
            notes=outcome.notes,
        )
        self._trials[after.id] = after
        self.epochs += len(after.history) - len(before.history)
        self.orders += outcome.status is not OutcomeStatus.STOPPED
        self._rate(after)
        return self._release(outcome, before, after)

    def give_up(self, is_over: Callable[[int], bool], *, keep: int) -> tuple[list[int], list[str]]:
        """Give up states of trials that are over: a quarter of them, the worst first.

        Args:
            is_over: Says of a trial that it will never be trained again.
            keep: So many of the best trials keep theirs in any case.

        Returns:
            The trials, and the keys that nobody needs any more; both empty where there is
            nothing to give up.
        """
        best = sorted(self._orders, key=self._rank)
        kept = set(best[:keep])
        places = {trial: place for place, trial in enumerate(best)}
        over = [
            trial.id
            for trial in self._trials.values()
            if trial.state and trial.id not in kept and is_over(trial.id)
        ]
        worst_first = sorted(over, key=lambda trial: -places.get(trial, len(best)))
        freed = worst_first[: -(-len(over) // 4)]
        keys = [str(self._trials[trial].state) for trial in freed]
        for trial in freed:
            self._trials[trial] = replace(self._trials[trial], state=None)
        return freed, self._drop(keys)

    def _release(self, outcome: Outcome, before: Trial, after: Trial) -> list[str]:
        left = [before.state, before.predictions]
        # A stopped order that stored nothing will start from the same state again.
        if outcome.status is not OutcomeStatus.STOPPED or outcome.state is not None:
            left.append(outcome.order.state)
        self._uses.update((after.state, after.predictions))
        return self._drop(left)

    def _drop(self, left: Sequence[str | None]) -> list[str]:
        """Count uses less, and return the keys that have none any more."""
        self._uses.subtract(left)
        free = sorted({key for key in left if key is not None and self._uses[key] <= 0})
        for key in free:
            del self._uses[key]
        return free

    def _rate(self, trial: Trial) -> None:
        merit = self._goal.merit(trial)
        keeps = merit is not None and merit.violation == 0.0
        self._orders.pop(trial.id, None)
        if merit is not None and keeps:
            self._orders[trial.id] = merit.order
        if self._best is None or self._best == trial.id:
            self._best = min(self._orders, key=self._rank, default=None)
        elif keeps and self._rank(trial.id) < self._rank(self._best):
            self._best = trial.id

    def _rank(self, trial: int) -> tuple[tuple[float, ...], int]:
        return self._orders[trial], trial
