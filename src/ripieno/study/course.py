"""The course of a study: its searcher and scheduler, and what a user changed on the way."""

from collections.abc import Iterable
from dataclasses import replace

from ripieno.errors import StudyError
from ripieno.ledger import Ledger
from ripieno.loop import replay
from ripieno.records import Change, Order
from ripieno.schedulers import Scheduler
from ripieno.space import Space
from ripieno.study.changing import (
    ConfigInput,
    WarmStart,
    enqueued,
    latest_space,
    more_trials,
    moved,
    read_trials,
    warm,
)
from ripieno.study.jobs import Job
from ripieno.study.settings import Settings
from ripieno.study.strategy import Strategy

__all__ = ["Course"]


class Course:
    """Who is trained next, as the record of a study says: nothing else is remembered.

    A change is written into the record, and the scheduler is made anew from there, so that a
    study that goes on in the same process stands where one stands that was opened again.

    Args:
        settings: The study's settings.
        space: What is searched at its beginning.
        ledger: Its record.
        strategy: Its searcher and scheduler.
    """

    def __init__(
        self, settings: Settings, space: Space, *, ledger: Ledger, strategy: Strategy
    ) -> None:
        self.space = latest_space(space, ledger.changes)
        """What is searched now."""
        self._settings = settings
        self._first_space = space
        self._ledger = ledger
        self._strategy = strategy
        # Where the record ends, after a run: a user's own object cannot be replayed twice.
        self._scheduler: Scheduler | None = None

    def take(self) -> Scheduler:
        """Return the scheduler, where the record ends; it is given back by :meth:`keep`."""
        scheduler, self._scheduler = self._scheduler, None
        return scheduler or self.replayed()

    def keep(self, scheduler: Scheduler) -> None:
        """Keep a scheduler that stands where the record ends."""
        self._scheduler = scheduler

    def forget(self) -> None:
        """Read from the record what is next: another process has written it on."""
        self._scheduler = None
        self.space = latest_space(self._first_space, self._ledger.changes)

    def replayed(self) -> Scheduler:
        """Return a new scheduler that stands where the record ends."""
        steering = self._strategy.steering(self._settings, self._first_space)
        replay(steering.scheduler, self._ledger, apply=steering.apply)
        return steering.scheduler

    def enqueue(self, configs: Iterable[ConfigInput]) -> None:
        """See :meth:`ripieno.study.Study.enqueue`."""
        self._change(enqueued(configs, self.space))

    def warm_start(self, source: WarmStart, *, best: int) -> None:
        """See :meth:`ripieno.study.Study.warm_start`."""
        trials, known = read_trials(source), self._ledger.changes
        goal = self._settings.goal
        self._change(warm(trials, self.space, goal=goal, best=best, known=known))

    def change_space(self, space: Space, job: Job | None) -> None:
        """See :meth:`ripieno.study.Study.change_space`."""
        change, searched = moved(space, self.space, job=job)
        if searched != self.space:
            self._change(change)
            self.space = searched

    def refine(self, change: Change) -> None:
        """See :meth:`ripieno.study.Study.refine`; there is room for what is tried."""
        limit = self._limit
        more = None if limit is None else limit + len(change.enqueued)
        self._change(replace(change, trials=more))

    def raise_trials(self, trials: int) -> None:
        """Let more trials come; nothing where it is the present number.

        Raises:
            StudyError: It is a lower number, or the scheduler starts no more trials.
        """
        change = more_trials(trials, self._limit)
        if change is not None:
            self._change(change)

    @property
    def _limit(self) -> int | None:
        """Trials at most, as it stands in the record."""
        raised = [c.trials for c in self._ledger.changes if c.trials is not None]
        return raised[-1] if raised else self._settings.trials

    def _change(self, change: Change) -> None:
        if self._scheduler is not None and self._strategy.is_own:
            raise StudyError(
                "the searcher or scheduler is your own, and has run already.",
                where=f"searcher {self._settings.searcher}, scheduler {self._settings.scheduler}",
                fix="open the study again with a fresh one: rp.open(path, searcher=…).",
            )
        steering = self._strategy.steering(self._settings, self._first_space)
        begun = any(isinstance(event, Order) for event in self._ledger.events())
        steering.check(change, begun=begun)
        if self._strategy.is_own:
            self._strategy.check(change)
        else:
            # Before it is recorded: what cannot be applied would never be resumed.
            replay(steering.scheduler, self._ledger, apply=steering.apply)
            steering.apply(change)
        self._ledger.record(changes=[change], clock=self._ledger.clock)
        self._scheduler = None if self._strategy.is_own else steering.scheduler
