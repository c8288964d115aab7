"""Successive halving with every trade-off between many trials and many epochs.

Source: L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh, A. Talwalkar, "Hyperband: A Novel
Bandit-Based Approach to Hyperparameter Optimization", JMLR 18(185), 2018.
"""

from collections.abc import Iterable

from ripieno.records import Goal, Objective, Order, Outcome
from ripieno.schedulers.brackets import Brackets
from ripieno.schedulers.nursery import Nursery
from ripieno.schedulers.rungs import Plan, hyperband_plans
from ripieno.searchers import Searcher

__all__ = ["Hyperband"]


class Hyperband:
    """Takes turns between brackets of successive halving, the most exploratory first.

    Brackets overlap: while a rung waits for outcomes, new trials enter the next bracket, so
    that no worker is idle. Trials that go on continue where they stand; they never restart.
    A rung is decided when all of its trials have told, so decisions do not depend on the
    order of arrival; ties go to the earlier trial. A trial that diverged or failed never
    goes on.

    A searcher that learns observes each rung's trials, by number, when the rung is decided.
    Which rungs those are when a trial is created depends on the arrival of outcomes. For a
    searcher that does not learn, the trials are the same whatever the arrival.

    Args:
        searcher: What proposes the configs.
        objective: What ranks the trials of a rung, by their last epoch.
        epochs: Epochs that the best trials are trained for, R in the source.
        trials: How many trials are started; the last bracket is cut to those that are left.
            None goes on until the searcher is exhausted.
        eta: One trial in ``eta`` goes on from a rung to the next, at least one.
        min_epochs: The fewest epochs that a trial is trained for.
        head_start: How many of the first trials are trained to the end in one go. The first
            trial of a study is its default config, which is a good model more often than not,
            and so it is soon there. None in the source.

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
        head_start: int = 0,
    ) -> None:
        self._epochs, self._eta, self._min_epochs = epochs, eta, min_epochs
        self._trials, self._head_start = trials, head_start
        self._brackets = Brackets(Nursery(searcher), Goal.of(objective), plans=self._plans(trials))

    def ask(self, slots: int) -> list[Order]:
        """Return up to ``slots`` orders; fewer when all that is left waits for outcomes."""
        return self._brackets.ask(slots)

    def tell(self, outcome: Outcome) -> None:
        """Enter an outcome, and decide its rung if it was the last one of it.

        Raises:
            SearchError: No such order is out, the outcome is not final, or it does not
                hold the objective's metric.
        """
        self._brackets.tell(outcome)

    def is_over(self, trial: int) -> bool:
        """Say whether a trial has come to its end; see :class:`ripieno.schedulers.Concluding`."""
        return self._brackets.is_over(trial)

    def extend(self, trials: int | None = None) -> None:
        """Let more trials come: the brackets go on in turn after those that have begun.

        A bracket that was cut to the trials that were left stays as it is.

        Args:
            trials: How many are started in all; None leaves it, and asks a searcher again
                that had no more configs.
        """
        self._trials = self._trials if trials is None else trials
        left = None if self._trials is None else max(0, self._trials - self._brackets.allotted)
        self._brackets.replan(() if left == 0 else self._plans(left, skip=self._brackets.taken))

    def _plans(self, trials: int | None, *, skip: int = 0) -> Iterable[Plan]:
        plans = hyperband_plans(
            trials=trials,
            epochs=self._epochs,
            eta=self._eta,
            min_epochs=self._min_epochs,
            head_start=self._head_start,
            skip=skip,
        )
        return plans if trials is None else list(plans)

    @property
    def planned(self) -> int | None:
        """The number of orders, less those that failed trials and a short grid leave out.

        None without a number of trials, until the searcher is exhausted.
        """
        return self._brackets.planned
