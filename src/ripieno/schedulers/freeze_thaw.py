"""Train whichever trial promises most: a paused one, thawed, or a new one.

Source: K. Swersky, J. Snoek, R. P. Adams, "Freeze-Thaw Bayesian Optimization",
arXiv:1406.3896, 2014 (the basket of paused and new trials; the forecasts here are those of
``forecast.py``, and expected improvement stands for entropy search); L. Li et al., "A System
for Massively Parallel Hyperparameter Tuning", MLSys 2020, Algorithm 2 (the hedge).
"""

import heapq
import itertools
import math
from dataclasses import dataclass

import numpy as np

from ripieno.errors import SearchError
from ripieno.records import Goal, Objective, Order, Outcome, Trial
from ripieno.schedulers.counts import check_count
from ripieno.schedulers.forecast import Forecast, expected_improvement, forecast
from ripieno.schedulers.intervals import check_interval
from ripieno.schedulers.nursery import Nursery
from ripieno.schedulers.rungs import levels
from ripieno.searchers import Searcher

__all__ = ["FreezeThaw"]

_FEW = 5
_ETA = 3
_ENOUGH = 0.01
_GROWTH = 1.25
_PARTS = 27


@dataclass(slots=True)
class _Curve:
    """A trial's curve as badness, and what it is forecast to be at the last epoch."""

    badness: list[float]
    seconds: float
    forecast: Forecast
    paused: bool
    ended: bool


class FreezeThaw:
    """Extrapolates each trial's learning curve, and trains where improvement is expected.

    Whoever asks gets the trial with the largest expected improvement, at the last epoch, on
    the best value so far, for each epoch that it would still take: one of the paused ones,
    which goes on for ``interval`` epochs, or a new one, which is expected to be like those
    that were started before it. A trial that diverged or failed is forecast to improve
    nothing, and makes new ones less promising.

    A forecast knows nothing but the trial's own curve: a plateau before a fall looks to it like
    the end. So every ``hedge``-th order follows the rule of asynchronous halving instead: of
    the trials that have reached a rung, the best third go on to the next one, the highest
    rung first. Where forecasts mislead, the search is then no slower than halving with one
    ``hedge``-th of the epochs.

    It ends when all trials have been started and none that is paused promises more than a
    hundredth of the best one's lead over the median; the best one is then trained to the end.

    Asking costs a look at each paused trial: for searches of up to some thousand trials.
    Forecasts depend on what has been told, so the same record of orders and outcomes gives
    the same search, and another number of workers may give another one. A curve whose learning
    rate falls late, as with a cosine schedule, improves later than a forecast can know.

    Args:
        searcher: What proposes the configs; it observes each outcome as it is told.
        objective: Whose curve is extrapolated.
        epochs: Epochs that a trial is trained for at most.
        trials: How many trials are started; None goes on until the searcher is exhausted.
        interval: Epochs of one order, after which it looks again; None takes a twenty-seventh
            of ``epochs``, at least one.
        hedge: One order in so many follows asynchronous halving; None for none.
        cost_aware: Count seconds instead of epochs: improvement is then expected for each
            second that a trial would still take, at its own pace. The search then depends
            on how fast the machine was, and is replayed from the recorded seconds.

    Raises:
        SearchError: A number is out of range, or there are several objectives or limits.
    """

    def __init__(
        self,
        searcher: Searcher,
        objective: Objective | Goal,
        *,
        epochs: int,
        trials: int | None = None,
        interval: int | None = None,
        hedge: int | None = 3,
        cost_aware: bool = False,
    ) -> None:
        where = f"FreezeThaw({epochs=}, {trials=}, {interval=}, {hedge=})"
        self._limit = math.inf if trials is None else check_count("trials", trials, where=where)
        self._interval = check_interval(interval, epochs=epochs, where=where, parts=_PARTS)
        self._hedge = None if hedge is None else check_count("hedge", hedge, where=where)
        self._rungs = levels(epochs=epochs, eta=_ETA, min_epochs=1)
        self._given = 0
        self._epochs = epochs
        self._cost_aware = cost_aware
        self._objective = _only(Goal.of(objective), where=where)
        self._nursery = Nursery(searcher)
        self._curves: dict[int, _Curve] = {}
        self._dead = 0
        self._best = math.inf
        self._location, self._spread, self._scale = 0.0, 0.0, 1.0
        self._rescale_at = 1

    @property
    def planned(self) -> int | None:
        """None: who is trained on depends on the curves."""
        return None

    def extend(self, trials: int | None = None) -> None:
        """Let more trials come; see :class:`ripieno.schedulers.Extendable`."""
        self._limit = self._limit if trials is None else trials
        self._nursery.reopen()

    def is_over(self, trial: int) -> bool:
        """Say whether a trial has come to its end; see :class:`ripieno.schedulers.Concluding`."""
        return self._nursery.is_over(trial)

    def ask(self, slots: int) -> list[Order]:
        """Return up to ``slots`` orders; fewer once nothing promises enough."""
        orders: list[Order] = []
        while len(orders) < slots:
            order = self._hedged() or self._most_promising() or self._finishing()
            if order is None:
                break
            orders.append(order)
            # Orders are counted, not questions: a replay asks no question that gave no order.
            self._given += 1
        return orders

    def tell(self, outcome: Outcome) -> None:
        """Enter an outcome, and forecast where its trial is going.

        Raises:
            SearchError: No such order is out, the outcome is not final, or it does not
                hold the objective's metric.
        """
        trial = self._nursery.settle(outcome)
        value = trial.value(self._objective)
        self._nursery.observe([trial.id])
        if math.isnan(value):
            self._curves.pop(trial.id, None)
            self._dead += 1
            ended = True
        else:
            # Fewer rows than epochs: early stopping ended it, and it stands as it is.
            ended = trial.epochs >= self._epochs or trial.epochs < outcome.order.stop
            self._enter(trial, ended=ended)
        if ended:
            self._nursery.forget([trial.id])
        ends = (curve.badness[-1] for curve in self._curves.values())
        self._best = min(ends, default=math.inf)
        self._rescale()

    def _enter(self, trial: Trial, *, ended: bool) -> None:
        """Take in the curve of a healthy trial."""
        rows = (self._objective.value(row) for row in trial.history)
        badness = [self._objective.badness(value) for value in rows]
        self._curves[trial.id] = _Curve(
            badness,
            trial.seconds / len(badness),
            Forecast(badness[-1], 0.0) if ended else self._forecast(badness),
            paused=not ended,
            ended=ended,
        )

    def _forecast(self, badness: list[float]) -> Forecast:
        """Extrapolate what lies behind the last epoch without a finite value."""
        first = max((e for e, value in enumerate(badness) if math.isinf(value)), default=-1) + 1
        if first == len(badness):
            return Forecast(math.inf, 0.0)
        return forecast(
            badness[first:],
            horizon=self._epochs,
            location=self._location,
            scale=self._scale,
            first=first + 1,
        )

    def _rescale(self) -> None:
        """Measure where the curves stand, and forecast all of them by that.

        It is done each time the number of trials, or the lead of the best one, has grown by
        a quarter: a trial is forecast anew a few times in all.
        """
        lead = self._location - self._best
        if len(self._curves) < self._rescale_at and lead <= _GROWTH * self._scale:
            return
        ends = np.array([curve.badness[-1] for curve in self._curves.values()])
        ends = ends[np.isfinite(ends)]
        if not len(ends):
            return
        self._rescale_at = math.ceil(_GROWTH * len(self._curves))
        self._location = float(np.median(ends))
        self._spread = self._location - float(np.quantile(ends, 0.1))
        # Not the spread: beside those that have hardly begun, the best shows how far it goes.
        lead = self._location - float(ends.min())
        self._scale = max(lead, 1e-3 * abs(self._location), 1e-12)
        for curve in self._curves.values():
            if not curve.ended:
                curve.forecast = self._forecast(curve.badness)

    def _most_promising(self) -> Order | None:
        """Order the trial from which most is expected for its cost, if that is enough."""
        rates = {
            trial: self._rate(curve)
            for trial, curve in self._curves.items()
            if curve.paused and self._promises_enough(curve)
        }
        trial = max(rates, key=lambda each: (rates[each], -each), default=None)
        if trial is None or rates[trial] <= self._rate_of_new():
            order = self._newcomer()
            if order is not None:
                return order
        # Nothing here may ask whether there will be new trials: a search that is replayed
        # finds out later that there are none.
        return None if trial is None else self._thaw(trial)

    def _hedged(self) -> Order | None:
        """If it is halving's turn, order the best trial that the rule lets go on."""
        if self._hedge is None or (self._given + 1) % self._hedge or not self._goes_on():
            return None
        for rung, above in reversed(list(itertools.pairwise(self._rungs))):
            told = [
                (curve.badness[rung - 1], trial)
                for trial, curve in self._curves.items()
                if len(curve.badness) >= rung
            ]
            for _, trial in heapq.nsmallest(len(told) // _ETA, told):
                curve = self._curves[trial]
                if curve.paused and len(curve.badness) < above:
                    return self._thaw(trial)
        return None

    def _goes_on(self) -> bool:
        """Say whether there may be new trials, or a paused one promises enough."""
        return self._nursery.created < self._limit or any(
            curve.paused and self._promises_enough(curve) for curve in self._curves.values()
        )

    def _newcomer(self) -> Order | None:
        if self._nursery.created >= self._limit:
            return None
        return self._nursery.create(epochs=self._interval)

    def _promises_enough(self, curve: _Curve) -> bool:
        return self._improvement(curve.forecast) > _ENOUGH * self._scale

    def _finishing(self) -> Order | None:
        """At the very end, order the best trial to go on, if it is not finished."""
        trial = min(
            self._curves, key=lambda each: (self._curves[each].badness[-1], each), default=None
        )
        if trial is None or not self._curves[trial].paused:
            return None
        return self._thaw(trial)

    def _thaw(self, trial: int) -> Order:
        curve = self._curves[trial]
        curve.paused = False
        start = len(curve.badness)
        stop = min(start + self._interval, self._epochs)
        return self._nursery.extend(trial, start=start, stop=stop)

    def _improvement(self, expected: Forecast) -> float:
        if not math.isfinite(expected.mean):
            return 0.0
        return expected_improvement(expected.mean, expected.sd, self._best)

    def _rate(self, curve: _Curve) -> float:
        left = self._epochs - len(curve.badness)
        pace = curve.seconds if self._cost_aware else 1.0
        return self._improvement(curve.forecast) / max(left * pace, 1e-12)

    def _rate_of_new(self) -> float:
        """Return what a trial is expected to give that is drawn like those before it.

        Its last value has the distribution of the forecasts, smoothed by Silverman's rule.
        """
        told = len(self._curves) + self._dead
        if len(self._curves) < _FEW:
            return math.inf
        width = self._spread * len(self._curves) ** -0.2
        expected = sum(
            self._improvement(Forecast(curve.forecast.mean, math.hypot(curve.forecast.sd, width)))
            for curve in self._curves.values()
        )
        pace = 1.0
        if self._cost_aware:
            pace = sum(curve.seconds for curve in self._curves.values()) / len(self._curves)
        return expected / told / max(self._epochs * pace, 1e-12)


def _only(goal: Goal, *, where: str) -> Objective:
    if goal.is_plain:
        return goal.first
    raise SearchError(
        "freeze-thaw extrapolates the curve of one metric, and the search is after "
        f"{', '.join(goal.metrics)}.",
        where=where,
        fix='use the scheduler "hyperband" or "asha", which rank by several metrics and limits.',
    )
