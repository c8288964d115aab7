"""Stop a trial that is worse than the middle of the field.

Source: D. Golovin, B. Solnik, S. Moitra, G. Kochanski, J. Karro, D. Sculley, "Google Vizier:
A Service for Black-Box Optimization", KDD 2017, section 3.2.2.
"""

import math
from collections import deque
from statistics import fmean

from ripieno.records import Goal, Metrics, Objective, Order, Outcome, Trial
from ripieno.schedulers.counts import check_count
from ripieno.schedulers.intervals import check_interval
from ripieno.schedulers.nursery import Nursery
from ripieno.schedulers.running_median import RunningMedian
from ripieno.searchers import Searcher

__all__ = ["MedianStop"]


class MedianStop:
    """Trains each trial a few epochs at a time, and goes on unless the median rule stops it.

    The rule: a trial stops at an epoch if the best value that it has had up to there is
    worse than the median, over the other trials that have been told up to that epoch, of
    their values' running means. It is lenient (at a first look it stops about half of the
    trials) and needs no rungs. Trials that are stopped stay where they are; those that go on
    continue where they stand. One that diverged or failed ends, and counts in no median.

    With several objectives a trial stops where it is worse in each of them. With limits their
    violation is looked at first, by the same rule: what is worse than the median there stops,
    what is better goes on, and only between equals (two that keep all limits) the objectives
    decide.

    Trials that go on come first, then new ones. Who has been told by then depends on the
    order in which outcomes arrive: the same record of orders and outcomes gives the same
    search, another number of workers may give another one.

    Args:
        searcher: What proposes the configs; it observes each outcome as it is told.
        objective: What the rule compares.
        epochs: Epochs that a trial is trained for if it is never stopped.
        trials: How many trials are started; None goes on until the searcher is exhausted.
        interval: Epochs of one order, after which the rule is applied; None takes a ninth of
            ``epochs``, at least one.
        grace_epochs: No trial is stopped before so many epochs; None takes ``interval``.
        min_trials: The rule is applied once so many other trials have been told at an epoch.

    Raises:
        SearchError: A number is out of range.
    """

    def __init__(
        self,
        searcher: Searcher,
        objective: Objective | Goal,
        *,
        epochs: int,
        trials: int | None = None,
        interval: int | None = None,
        grace_epochs: int | None = None,
        min_trials: int = 5,
    ) -> None:
        where = f"MedianStop({epochs=}, {trials=}, {interval=}, {grace_epochs=}, {min_trials=})"
        self._limit = math.inf if trials is None else check_count("trials", trials, where=where)
        self._interval = check_interval(interval, epochs=epochs, where=where)
        self._grace = self._interval
        if grace_epochs is not None:
            self._grace = check_count("grace_epochs", grace_epochs, least=0, where=where)
        self._min_trials = check_count("min_trials", min_trials, where=where)
        self._epochs = epochs
        self._goal = Goal.of(objective)
        self._nursery = Nursery(searcher)
        self._going_on: deque[tuple[int, int]] = deque()  # trial, start
        self._means_at: dict[int, list[RunningMedian]] = {}

    @property
    def planned(self) -> int | None:
        """None: how many trials are stopped is seen when they are."""
        return None

    def extend(self, trials: int | None = None) -> None:
        """Let more trials come; see :class:`ripieno.schedulers.Extendable`."""
        self._limit = self._limit if trials is None else trials
        self._nursery.reopen()

    def is_over(self, trial: int) -> bool:
        """Say whether a trial has come to its end; see :class:`ripieno.schedulers.Concluding`."""
        return self._nursery.is_over(trial)

    def ask(self, slots: int) -> list[Order]:
        """Return up to ``slots`` orders; fewer once all trials have been started."""
        orders: list[Order] = []
        while len(orders) < slots:
            order = self._continued() or self._newcomer()
            if order is None:
                break
            orders.append(order)
        return orders

    def tell(self, outcome: Outcome) -> None:
        """Enter an outcome, and decide whether its trial goes on.

        Raises:
            SearchError: No such order is out, the outcome is not final, or it does not
                hold the objective's metric.
        """
        trial = self._nursery.settle(outcome)
        alive = self._goal.merit(trial) is not None
        stays = alive and not self._stops(trial, outcome.order.stop)
        self._nursery.observe([trial.id])
        # Fewer rows than epochs: early stopping ended it.
        ended = trial.epochs < outcome.order.stop or outcome.order.stop >= self._epochs
        if stays and not ended:
            self._going_on.append((trial.id, outcome.order.stop))
        else:
            self._nursery.forget([trial.id])

    def _continued(self) -> Order | None:
        if not self._going_on:
            return None
        trial, start = self._going_on.popleft()
        stop = min(start + self._interval, self._epochs)
        return self._nursery.extend(trial, start=start, stop=stop)

    def _newcomer(self) -> Order | None:
        if self._nursery.created >= self._limit:
            return None
        return self._nursery.create(epochs=min(self._interval, self._epochs))

    def _stops(self, trial: Trial, epoch: int) -> bool:
        """Apply the rule at an epoch, and let the trial's own mean count from then on."""
        curves = [self._criteria(row) for row in trial.history]
        columns = list(zip(*curves, strict=True))
        means = self._means_at.setdefault(epoch, [RunningMedian() for _ in columns])
        looks = epoch >= self._grace and len(means[0]) >= self._min_trials
        worse = [_compare(min(c), m.value) for c, m in zip(columns, means, strict=True) if looks]
        for column, mean in zip(columns, means, strict=True):
            mean.add(fmean(column))
        if not looks:
            return False
        return worse[0] > 0 or (worse[0] == 0 and min(worse[1:]) > 0)

    def _criteria(self, row: Metrics) -> list[float]:
        """Return the violation of a row, and its badness in each objective."""
        badness = (each.badness(each.value(row)) for each in self._goal.objectives)
        return [self._goal.violation(row), *badness]


def _compare(best: float, median: float) -> int:
    """Return 1 where the best value is worse than the median, -1 where better, else 0."""
    return (best > median) - (best < median)
