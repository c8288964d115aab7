"""Trials judged by what they add to the ensemble so far.

The search wing knows no tensor, so the judgement is made here, where both wings meet: an
executor that passes orders on as they are, and adds one number to what comes back. That number
is recorded with the outcome, like any metric; a scheduler that is replayed reads it from the
ledger and gives the same orders.

The ensemble so far, for an order, is selected from the trials whose last epoch was recorded
before the order was. Predictions of a last epoch are never replaced, so a study that goes on
finds every such ensemble again from its ledger and its artifacts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ripieno.ensembles import Contribution, Predictions
from ripieno.errors import StudyError
from ripieno.executors import Executor
from ripieno.records import ArtifactStore, Change, Order, Outcome, OutcomeStatus
from ripieno.study.evaluation import read_predictions
from ripieno.study.jobs import TuneJob

__all__ = ["JUDGED", "Judge", "JudgingExecutor", "check_judging"]

JUDGED = "ensemble_loss"
"""The metric that a trial's last epoch is given."""

_SCHEDULERS = ("full", "halving", "hyperband", "asha")

Key = tuple[int, int]


def check_judging(objective: str, scheduler: str) -> str:
    """Return what trials are judged by: ``metric`` or ``ensemble``.

    Raises:
        StudyError: It is neither, or the scheduler reads a value of every epoch.
    """
    if objective not in {"metric", "ensemble"}:
        problem = f"objective = {objective!r} is not known."
    elif objective == "ensemble" and scheduler not in _SCHEDULERS:
        problem = f"the scheduler {scheduler!r} cannot judge trials by the ensemble."
    else:
        return objective
    raise StudyError(
        problem,
        where="objective=, scheduler=",
        fix=f"use 'metric', or 'ensemble' with one of {', '.join(_SCHEDULERS)}: what a trial "
        "adds is known after its last epoch alone.",
    )


class Judge:
    """Says what a trial would add to the ensemble of the trials that had finished before.

    Args:
        job: What the trials train.
        artifacts: Where their predictions lie.
        epochs: Epochs of a finished trial.
        events: Orders and outcomes of the study so far, in the order of its record.
    """

    def __init__(
        self,
        job: TuneJob,
        artifacts: ArtifactStore,
        *,
        epochs: int,
        events: Iterable[Order | Outcome | Change] = (),
    ) -> None:
        self._job, self._artifacts, self._epochs = job, artifacts, epochs
        self._finished: dict[int, str] = {}
        self._before: dict[Key, tuple[int, ...]] = {}
        self._known: dict[int, Predictions] = {}
        self._ensembles: dict[tuple[int, ...], Contribution] = {}
        for event in events:
            if isinstance(event, Outcome):
                self._note(event)
            elif isinstance(event, Order):
                self.give(event)

    def give(self, order: Order) -> None:
        """Note which trials had finished before an order; one that is given again keeps them."""
        self._before.setdefault(_key(order), tuple(self._finished))

    def judge(self, outcome: Outcome) -> Outcome:
        """Return an outcome whose last row of metrics says what the trial would add."""
        is_done = outcome.status is OutcomeStatus.DONE
        # One that was stopped will go on, and no scheduler is told of it.
        if not is_done or outcome.predictions is None or not outcome.metrics:
            return outcome
        own = self._read(outcome.order.trial, outcome.predictions)
        ensemble = self._ensemble(self._before.get(_key(outcome.order), ()))
        *rows, last = outcome.metrics
        judged = replace(outcome, metrics=(*rows, {**last, JUDGED: ensemble.loss_with(own)}))
        self._note(judged)
        return judged

    def _note(self, outcome: Outcome) -> None:
        done = outcome.status is OutcomeStatus.DONE and outcome.order.stop == self._epochs
        if done and outcome.predictions is not None:
            self._finished[outcome.order.trial] = outcome.predictions

    def _ensemble(self, trials: tuple[int, ...]) -> Contribution:
        if trials not in self._ensembles:
            for trial in trials:
                if trial not in self._known:
                    self._known[trial] = self._read(trial, self._finished[trial])
            parts = [self._known[trial] for trial in trials]
            library = Predictions.stack(parts) if parts else None
            self._ensembles[trials] = Contribution.of(library)
        return self._ensembles[trials]

    def _read(self, trial: int, key: str) -> Predictions:
        return read_predictions(self._job, trial, key, artifacts=self._artifacts)


class JudgingExecutor:
    """An executor whose outcomes are judged; in all else the one that it wraps.

    Args:
        inner: Carries the orders out.
        judge: Judges what comes back.
    """

    def __init__(self, inner: Executor, judge: Judge) -> None:
        self._inner, self._judge = inner, judge

    @property
    def slots(self) -> int:
        """How many more orders can be submitted now."""
        return self._inner.slots

    def submit(self, orders: Sequence[Order]) -> None:
        """Hand orders over."""
        for order in orders:
            self._judge.give(order)
        self._inner.submit(orders)

    def collect(self, timeout: float | None = None) -> list[Outcome]:
        """Return the outcomes that are there, judged."""
        return [self._judge.judge(outcome) for outcome in self._inner.collect(timeout)]

    def recall(self) -> list[Order]:
        """Take back the orders that are not begun."""
        return self._inner.recall()

    def stop(self) -> None:
        """Ask every runner to end soon."""
        self._inner.stop()

    def close(self) -> None:
        """End all workers."""
        self._inner.close()


def _key(order: Order) -> Key:
    # Not where it starts: a stopped order may go on from further along.
    return order.trial, order.stop
