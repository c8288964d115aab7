"""Successive halving that waits for nobody: a trial goes on as soon as it is among the best.

Source: L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, J. Ben-tzur, M. Hardt, B. Recht,
A. Talwalkar, "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020,
Algorithm 2.
"""

import math

from ripieno.errors import SearchError
from ripieno.records import Goal, Objective, Order, Outcome
from ripieno.schedulers.counts import check_count
from ripieno.schedulers.nursery import Nursery
from ripieno.schedulers.open_rung import OpenRung
from ripieno.schedulers.ranked_rung import RankedRung
from ripieno.schedulers.rungs import check_rungs, hyperband_plans, levels
from ripieno.searchers import Searcher

__all__ = ["Asha"]


class Asha:
    """Asynchronous successive halving: promotes paused trials, and never lets a worker idle.

    Whoever asks gets, from the highest rung downwards, a paused trial that is among the best
    ``1/eta`` of those that have been told at its rung; where there is none, a new trial.
    Trials that go on continue where they stand. A trial that diverged or failed ranks last
    and never goes on; ties go to the earlier trial.

    Which trials are promoted depends on the order in which outcomes arrive: the same record
    of orders and outcomes gives the same search, another number of workers may give another
    one. Where numbers must not depend on that, use Hyperband.

    When there are no more trials to start, and nothing is out, and no trial has been trained
    to the end (there were too few), the best of the highest rung go on nevertheless.

    An order costs the logarithm of the number of trials; with several objectives or limits it
    ranks the whole rung anew, which is for searches of up to some thousand trials. The
    searcher observes each outcome as it is told.

    Args:
        searcher: What proposes the configs.
        objective: What ranks the trials of a rung, by their last epoch.
        epochs: Epochs that the best trials are trained for.
        trials: How many trials are started; None goes on until the searcher is exhausted.
        eta: One trial in ``eta`` goes on from a rung to the next.
        min_epochs: The fewest epochs that a trial is trained for.
        brackets: How many ladders of rungs there are: the first begins at the lowest rung,
            each further one a rung higher. New trials are divided among them as Hyperband
            divides its trials. More than one guards against curves that cross late.

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
        eta: int = 3,
        min_epochs: int = 1,
        brackets: int = 1,
    ) -> None:
        where = f"Asha({epochs=}, {trials=}, {eta=}, {min_epochs=}, {brackets=})"
        self._limit = math.inf if trials is None else check_count("trials", trials, where=where)
        check_rungs(epochs=epochs, eta=eta, min_epochs=min_epochs, where=where)
        self._levels = levels(epochs=epochs, eta=eta, min_epochs=min_epochs)
        if check_count("brackets", brackets, where=where) > len(self._levels):
            raise SearchError(
                f"brackets = {brackets}, but there are {len(self._levels)} rungs to begin at: "
                f"{', '.join(map(str, self._levels))} epochs.",
                where=where,
                fix=f"give {len(self._levels)} brackets at most.",
            )
        plans = hyperband_plans(trials=None, epochs=epochs, eta=eta, min_epochs=min_epochs)
        self._shares = [next(plans).trials for _ in range(brackets)]
        self._entered = [0] * brackets
        # A ladder for each bracket; the rungs below its first one stay empty.
        self._goal = Goal.of(objective)
        kind: type[OpenRung | RankedRung] = OpenRung if self._goal.is_plain else RankedRung
        self._ladders = [[kind(eta) for _ in self._levels] for _ in range(brackets)]
        self._bracket_of: dict[int, int] = {}
        self._nursery = Nursery(searcher)

    @property
    def planned(self) -> int | None:
        """None: how many go on depends on the arrival of outcomes."""
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
            order = self._promotion() or self._newcomer() or self._last_resort()
            if order is None:
                break
            orders.append(order)
        return orders

    def tell(self, outcome: Outcome) -> None:
        """Enter an outcome into its rung.

        Raises:
            SearchError: No such order is out, the outcome is not final, or it does not
                hold the objective's metric.
        """
        trial = self._nursery.settle(outcome)
        merit = self._goal.merit(trial)
        rung = self._levels.index(outcome.order.stop)
        self._ladders[self._bracket_of[trial.id]][rung].tell(trial.id, merit)
        self._nursery.observe([trial.id])
        if merit is None or rung == len(self._levels) - 1:
            self._nursery.forget([trial.id])
            del self._bracket_of[trial.id]

    def _promotion(self) -> Order | None:
        """Order the best paused trial of the highest rung that lets one go on."""
        for rung in range(len(self._levels) - 2, -1, -1):
            for ladder in self._ladders:
                trial = ladder[rung].promote()
                if trial is not None:
                    return self._climb(trial, rung)
        return None

    def _newcomer(self) -> Order | None:
        """Order a new trial in the bracket that is furthest behind its share."""
        if self._nursery.created >= self._limit:
            return None
        brackets = range(len(self._shares))
        bracket = min(brackets, key=lambda b: ((self._entered[b] + 1) / self._shares[b], b))
        order = self._nursery.create(epochs=self._levels[bracket])
        if order is None:
            return None
        self._entered[bracket] += 1
        self._bracket_of[order.trial] = bracket
        return order

    def _last_resort(self) -> Order | None:
        """Let one trial go on at the very end, if none has been trained to the last epoch."""
        if self._nursery.out or any(ladder[-1].healthy for ladder in self._ladders):
            return None
        for rung in range(len(self._levels) - 2, -1, -1):
            for ladder in self._ladders:
                trial = ladder[rung].promote_anyway()
                if trial is not None:
                    return self._climb(trial, rung)
        return None

    def _climb(self, trial: int, rung: int) -> Order:
        return self._nursery.extend(trial, start=self._levels[rung], stop=self._levels[rung + 1])
