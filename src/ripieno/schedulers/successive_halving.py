"""Start many trials on few epochs, and go on with the best.

Source: K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", AISTATS 2016.
"""

from ripieno.records import Goal, Objective, Order, Outcome
from ripieno.schedulers.brackets import Brackets
from ripieno.schedulers.nursery import Nursery
from ripieno.schedulers.rungs import Plan, halving_plan
from ripieno.searchers import Searcher

__all__ = ["SuccessiveHalving"]


class SuccessiveHalving:
    """Trains all trials a little, the best ``1/eta`` of them ``eta`` times as long, and so on.

    Trials that go on continue where they stand; they never restart. A rung is decided when
    all of its trials have told, so decisions do not depend on the order of arrival; ties go
    to the earlier trial. A trial that diverged or failed never goes on. A searcher that
    learns observes each rung's trials, by number, when the rung is decided.

    Args:
        searcher: What proposes the configs.
        objective: What ranks the trials of a rung, by their last epoch.
        epochs: Epochs that the best trials are trained for.
        trials: How many trials are started.
        eta: One trial in ``eta`` goes on from a rung to the next, at least one.
        min_epochs: The fewest epochs that a trial is trained for.

    Raises:
        SearchError: A number is out of range.
    """

    def __init__(
        self,
        searcher: Searcher,
        objective: Objective | Goal,
        *,
        epochs: int,
        trials: int,
        eta: int = 3,
        min_epochs: int = 1,
    ) -> None:
        self._epochs, self._eta, self._min_epochs = epochs, eta, min_epochs
        self._trials = trials
        self._brackets = Brackets(Nursery(searcher), Goal.of(objective), plans=[self._plan(trials)])

    def ask(self, slots: int) -> list[Order]:
        """Return up to ``slots`` orders; fewer while the rung waits for outcomes."""
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
        """Let more trials come: those above the present number are a bracket of their own.

        Args:
            trials: How many are started in all; None leaves it, and asks a searcher again
                that had no more configs.
        """
        self._trials = self._trials if trials is None else trials
        left = self._trials - self._brackets.allotted
        self._brackets.replan([self._plan(left)] if left > 0 else [])

    def _plan(self, trials: int) -> Plan:
        return halving_plan(
            trials=trials, epochs=self._epochs, eta=self._eta, min_epochs=self._min_epochs
        )

    @property
    def planned(self) -> int | None:
        """The number of orders, less those that failed trials and a short grid leave out."""
        return self._brackets.planned
