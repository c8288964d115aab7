"""The loop: ask, record, run, record, tell."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from ripieno.errors import StudyError
from ripieno.executors import Executor
from ripieno.ledger import Ledger
from ripieno.loop.budget import Budget, StopReason
from ripieno.loop.ending import Ending
from ripieno.loop.progress import Progress, Tracker
from ripieno.loop.sharing import SharedExecutor
from ripieno.records import (
    ArtifactStore,
    Change,
    Goal,
    Objective,
    Order,
    Outcome,
    OutcomeStatus,
    hearing,
)
from ripieno.schedulers import Concluding, Scheduler

__all__ = ["run"]

_LOOK_UP_SECONDS = 0.5
_SHOWN_EVERY_SECONDS = 0.5
_GRACE_SECONDS = 10.0
_KEPT_BEST = 10


def run(
    scheduler: Scheduler,
    ledger: Ledger,
    executor: Executor,
    *,
    objective: Objective | Goal,
    artifacts: ArtifactStore,
    budget: Budget | None = None,
    watch: Callable[[Progress], None] | None = None,
    is_full: Callable[[int], bool] | None = None,
    company: SharedExecutor | None = None,
) -> StopReason:
    """Carry a study on until it is finished, its budget is spent, or it is interrupted.

    An order is recorded before it is carried out and an outcome as soon as it is there, so
    a process that is killed loses what was being trained and nothing else.

    Args:
        scheduler: Stands where the record ends: new, or brought there by :func:`replay`.
        ledger: The record; orders that are open in it are carried out first.
        executor: New; what it is stopped with stays stopped. Left open.
        objective: What the best trial is judged by; of several the first one, which a target
            is of too.
        artifacts: Where states and predictions lie; superseded ones are deleted.
        budget: Of the whole study, over all sessions.
        watch: Called with the progress after each batch of outcomes, and while it waits: at
            least once a second, of an executor in this process once an epoch.
        is_full: Is asked, with the number of orders that are out, whether there is no more
            room than these need to store what they trained; then states of trials that are
            over are given up, and where there are none of these the study pauses.
        company: The executor, or what it wraps, where other processes share the study. After
            Ctrl-C what they do is not waited for, since one of them leads on.

    Returns:
        Why it ended. After an interruption the study can be resumed.

    Raises:
        LedgerError: The record or an artifact cannot be read or written.
        WorkerError: A worker process could not start.
        KeyboardInterrupt: Ctrl-C was pressed a second time.
    """
    session = _Session(
        scheduler,
        ledger,
        executor,
        objective=objective,
        artifacts=artifacts,
        budget=budget,
        company=company,
        watch=watch,
    )
    reason = session.spent()
    if reason is not None:
        return reason
    with session.ending as ending:
        while True:
            session.show()
            if ending.reason is not None and session.has_waited_enough():
                break
            if ending.reason is None and is_full is not None:
                session.make_room(is_full)
            if ending.reason is None:
                session.give()
            if not session.waits():
                break
            session.take(session.collect())
            if session.target_is_reached():
                ending.call(StopReason.TARGET)
            if session.fails_again_and_again():
                ending.call(StopReason.FAILURES)
    ledger.record(clock=session.seconds)
    return ending.reason or session.finished()


class _Session:
    """What one run of the loop has out, and what it spends."""

    def __init__(
        self,
        scheduler: Scheduler,
        ledger: Ledger,
        executor: Executor,
        *,
        objective: Objective | Goal,
        artifacts: ArtifactStore,
        budget: Budget | None,
        company: SharedExecutor | None,
        watch: Callable[[Progress], None] | None,
    ) -> None:
        self._scheduler = scheduler
        self._ledger = ledger
        self._executor = executor
        self._objective = Goal.of(objective).first
        self._artifacts = artifacts
        self._budget = budget or Budget()
        self._tracker = Tracker(ledger, objective)
        self._left_open = deque(ledger.open_orders())
        self._last: Outcome | None = None
        self._watch = watch
        self._underway: dict[int, int] = {}
        self._shown_at = 0.0
        self._failures = 0
        self._wait_until: float | None = None
        self._began = time.monotonic() - ledger.clock
        limit = self._budget.seconds
        self.out: dict[int, Order] = {}
        self._company = company
        self.ending = Ending(
            executor,
            None if limit is None else max(0.0, limit - ledger.clock),
            call_off=None if company is None else company.call_off,
        )

    @property
    def seconds(self) -> float:
        """Running time of the study, over all its sessions."""
        return time.monotonic() - self._began

    def progress(self) -> Progress:
        """Return how far the study is."""
        return Progress(
            trials=self._tracker.trials,
            orders=self._tracker.orders,
            planned=self._scheduler.planned,
            epochs=self._tracker.epochs + sum(self._underway.values()),
            seconds=self.seconds,
            best=self._tracker.best,
            running=len(self.out),
            outcome=self._last,
        )

    def show(self) -> None:
        """Let the watcher see how far the study is."""
        if self._watch is not None:
            self._watch(self.progress())
            self._shown_at = time.monotonic()

    def hear(self, trial: int, epochs: int) -> None:
        """Note how many epochs an order is past that is out, and show it now and then."""
        if trial in self.out:
            self._underway[trial] = epochs
            if time.monotonic() - self._shown_at >= _SHOWN_EVERY_SECONDS:
                self.show()

    def spent(self) -> StopReason | None:
        """Say whether the budget leaves nothing to do from the beginning."""
        if self._budget.seconds is not None and self.seconds >= self._budget.seconds:
            return StopReason.BUDGET_SECONDS
        return StopReason.TARGET if self.target_is_reached() else None

    def finished(self) -> StopReason:
        """Say why there is nothing more to carry out."""
        if self._epochs_are_spent() and self._tracker.orders != self._scheduler.planned:
            return StopReason.BUDGET_EPOCHS
        return StopReason.FINISHED

    def give(self) -> None:
        """Fill the executor: with the orders that were left open, then with new ones."""
        slots = self._executor.slots
        while slots > 0 and not self._epochs_are_spent():
            if self._left_open:
                orders = [self._left_open.popleft()]
            else:
                # One at a time where each may be the last that the budget allows.
                asked = self._scheduler.ask(slots if self._budget.epochs is None else 1)
                orders = [self._tracker.give(order) for order in asked]
                if not orders:
                    break
                self._ledger.record(orders=orders, clock=self.seconds)
            self.out.update((order.trial, order) for order in orders)
            self._executor.submit(orders)
            slots -= len(orders)
        if not self.out and slots <= 0 and self.ending.reason is None:
            raise StudyError(
                "the executor has nothing to do and takes no orders.",
                where=type(self._executor).__qualname__,
                fix="give each run an executor of its own that was not stopped before.",
            )

    def make_room(self, is_full: Callable[[int], bool]) -> None:
        """Give up states of trials that are over until there is room; else pause the study."""
        while is_full(len(self.out)):
            freed: list[int] = []
            keys: list[str] = []
            if isinstance(self._scheduler, Concluding):
                freed, keys = self._tracker.give_up(self._scheduler.is_over, keep=_KEPT_BEST)
            if not freed:
                self.ending.call(StopReason.DISK)
                return
            self._ledger.record(changes=[Change(freed=tuple(freed))], clock=self.seconds)
            for key in keys:
                self._artifacts.delete(key)

    def waits(self) -> bool:
        """Say whether an outcome is still to come here."""
        if self._company is None or self.ending.reason is not StopReason.INTERRUPTED:
            return bool(self.out)
        return bool(self.out.keys() - self._company.elsewhere)

    def collect(self) -> Sequence[Outcome]:
        """Wait for outcomes, but not long: the clock and the watcher want to be served."""
        try:
            with self.ending.waiting(), hearing(self.hear):
                return self._executor.collect(_LOOK_UP_SECONDS)
        except KeyboardInterrupt:
            if not self.ending.absorbs():
                raise
            return []

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Record outcomes, then let the scheduler learn and the superseded arrays go."""
        if not outcomes:
            return
        seconds = self.seconds
        final = self._ledger.record(outcomes=outcomes, clock=seconds)
        superseded: list[str] = []
        for outcome in outcomes:
            del self.out[outcome.order.trial]
            self._underway.pop(outcome.order.trial, None)
            superseded += self._tracker.take(outcome, seconds)
        for outcome in final:
            self._scheduler.tell(outcome)
            failed = outcome.status is OutcomeStatus.FAILED
            self._failures = self._failures + 1 if failed else 0
        for key in superseded:
            self._artifacts.delete(key)
        if len(final) < len(outcomes) and self.ending.reason is None:
            # Whoever had these has left; somebody else goes on with them.
            rest = {outcome.order.trial for outcome in outcomes}
            self._left_open += [o for o in self._ledger.open_orders() if o.trial in rest]
        self._last = outcomes[-1]

    def fails_again_and_again(self) -> bool:
        """Say whether so many orders failed one after the other that it is not the configs."""
        most = self._budget.failures
        return most is not None and self._failures >= most

    def target_is_reached(self) -> bool:
        """Say whether the best trial is good enough to stop."""
        best, target = self._tracker.best, self._budget.target
        if best is None or target is None:
            return False
        return not self._objective.is_better(target, best.value(self._objective))

    def has_waited_enough(self) -> bool:
        """Say whether those who were asked to stop have had their time."""
        if self._wait_until is None:
            self._wait_until = time.monotonic() + _GRACE_SECONDS
        return time.monotonic() > self._wait_until

    def _epochs_are_spent(self) -> bool:
        if self._budget.epochs is None:
            return False
        out = sum(order.epochs for order in self.out.values())
        return self._tracker.epochs + out >= self._budget.epochs
