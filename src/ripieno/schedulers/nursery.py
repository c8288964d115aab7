"""Where trials are numbered, and where their records are kept while they may go on."""

from collections.abc import Iterable
from dataclasses import replace

from ripieno.errors import SearchError
from ripieno.records import Config, Order, Outcome, OutcomeStatus, Trial, TrialStatus
from ripieno.searchers import Searcher

__all__ = ["Nursery"]

_STATUS = {
    OutcomeStatus.DONE: TrialStatus.PAUSED,
    OutcomeStatus.DIVERGED: TrialStatus.DIVERGED,
    OutcomeStatus.FAILED: TrialStatus.FAILED,
}


class Nursery:
    """Numbers trials in the order of creation and asks the searcher for one config each.

    Every scheduler has one. It knows which orders are out, and what each trial that may
    still be ordered or observed has given.

    Args:
        searcher: What proposes the configs; it is asked for one at a time, as late as
            possible, so that it has observed all it can.
    """

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self._trials: dict[int, Trial] = {}
        self._out: dict[int, int] = {}
        self._created = 0
        self._exhausted = False

    @property
    def created(self) -> int:
        """How many trials there are so far; also the number of the next one."""
        return self._created

    @property
    def out(self) -> int:
        """How many orders are out."""
        return len(self._out)

    @property
    def exhausted(self) -> bool:
        """Whether the searcher was asked for a config and had none."""
        return self._exhausted

    def reopen(self) -> None:
        """Ask the searcher again, although it had no more configs: it may have some now."""
        self._exhausted = False

    def create(self, *, epochs: int) -> Order | None:
        """Order a new trial from its beginning; None once the searcher is exhausted."""
        configs = [] if self._exhausted else self._searcher.suggest(1)
        if not configs:
            self._exhausted = True
            return None
        trial = Trial(self._created, configs[0], TrialStatus.RUNNING)
        self._created += 1
        return self._order(trial, start=0, stop=epochs)

    def extend(self, trial: int, *, start: int, stop: int) -> Order:
        """Order a trial to go on from where it stands."""
        record = replace(self._trials[trial], status=TrialStatus.RUNNING)
        return self._order(record, start=start, stop=stop)

    def fork(self, parent: int, config: Config, *, start: int, stop: int) -> Order:
        """Order a new trial that goes on from where ``parent`` stands, with its own config.

        The order is to be given before any later one of the parent's, because the loop
        hands out the state that the parent has at that moment.
        """
        trial = Trial(self._created, config, TrialStatus.RUNNING, first_epoch=start, parent=parent)
        self._created += 1
        return self._order(trial, start=start, stop=stop, parent=parent)

    def settle(self, outcome: Outcome) -> Trial:
        """Enter what an order gave, and return the trial's record.

        The outcome of an order that was resumed may begin at a later epoch than the order
        that was given; it must end where that one ends.

        Raises:
            SearchError: No such order is out, or the outcome is not final.
        """
        order = outcome.order
        if outcome.status is OutcomeStatus.STOPPED:
            raise SearchError(
                f"the outcome of trial {order.trial} is 'stopped', which is not final.",
                where="Scheduler.tell",
                fix="carry out what is left of the order, and tell the outcome of that.",
            )
        if self._out.get(order.trial) != order.stop:
            raise SearchError(
                f"no order for trial {order.trial} up to epoch {order.stop} is out.",
                where="Scheduler.tell",
                fix="tell each order's outcome once, to the scheduler that gave the order.",
            )
        del self._out[order.trial]
        before = self._trials[order.trial]
        after = replace(
            before,
            status=_STATUS[outcome.status],
            history=before.history + outcome.metrics,
            seconds=before.seconds + outcome.seconds,
            state=outcome.state,
            predictions=outcome.predictions,
            error=outcome.error,
            notes=outcome.notes,
        )
        self._trials[order.trial] = after
        return after

    def observe(self, trials: Iterable[int]) -> None:
        """Show the searcher the records of these trials, by number."""
        self._searcher.observe([self._trials[trial] for trial in sorted(trials)])

    def forget(self, trials: Iterable[int]) -> None:
        """Drop the records of trials that will not be ordered again."""
        for trial in trials:
            del self._trials[trial]

    def is_over(self, trial: int) -> bool:
        """Say whether a trial was dropped: it will not be ordered again."""
        return trial < self._created and trial not in self._trials

    def _order(self, trial: Trial, *, start: int, stop: int, parent: int | None = None) -> Order:
        self._trials[trial.id] = trial
        self._out[trial.id] = stop
        return Order(trial.id, trial.config, start, stop, parent=parent)
