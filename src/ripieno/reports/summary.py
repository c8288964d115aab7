"""Everything that a page about a study needs, as plain records."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import ReportError
from ripieno.records import Goal, Metrics, Objective, Refined, Trial, TrialStatus
from ripieno.records import ranked as by_goal
from ripieno.space import Space

if TYPE_CHECKING:
    from ripieno import diagnostics

__all__ = ["Answers", "Scores", "Selection", "Summary", "last_value", "lost", "ranked"]


_LOST = (TrialStatus.DIVERGED, TrialStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured of one model.

    Args:
        validation: Metrics on the rows that the search compared trials on.
        test: Metrics on rows that nothing was chosen on; empty if there are none.
    """

    validation: Metrics = field(default_factory=dict)
    test: Metrics = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """An ensemble out of a study's trials.

    Args:
        trials: Numbers of the trials that are in it.
        weights: Their shares, positive, of sum 1.
        scores: What was measured of the ensemble.
        members: What was measured of each member alone; empty if nothing was.
        by: The metric that it was selected by on the validation part; None if that is unknown.
    """

    trials: tuple[int, ...]
    weights: tuple[float, ...]
    scores: Scores = field(default_factory=Scores)
    members: tuple[Scores, ...] = ()
    by: str | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.trials), len(self.weights), len(self.members) or len(self.trials)}
        if len(lengths) != 1 or not self.trials:
            raise ReportError(
                f"there are {len(self.trials)} trials, {len(self.weights)} weights and "
                f"{len(self.members)} measured members.",
                where="Selection",
                fix="give one weight a trial, and scores for each member or for none.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What models answered on one part of the data.

    Args:
        targets: Number of the true class of each row, int, shape ``(rows,)``; or labels, 0
            and 1, ``(rows, labels)``; or values, ``(rows, columns)``.
        single: Probabilities of the best single model, shape ``(rows, classes)``; or of
            labels, or values.
        ensemble: Those of the ensemble, same shape; None if there is none.
        classes: Names of the classes, labels or columns; their numbers where absent.
        part: What the rows are: ``"test"`` if nothing was chosen on them.
        task: ``classification``, ``multilabel`` or ``regression``.
        votes: What each member of the ensemble answered, in the order of the selection, shape
            ``(members, rows, outputs)``; None if it is not shown.
        calibrated: The ensemble's probabilities after a calibration, if there was one.
    """

    targets: NDArray[Any]
    single: NDArray[np.floating[Any]]
    ensemble: NDArray[np.floating[Any]] | None = None
    classes: tuple[str, ...] = ()
    part: str = "test"
    task: Literal["classification", "multilabel", "regression"] = "classification"
    votes: NDArray[np.floating[Any]] | None = None
    calibrated: NDArray[np.floating[Any]] | None = None

    def __post_init__(self) -> None:
        shape = self.single.shape
        needed = shape[:1] if self.task == "classification" else shape
        if len(shape) != 2 or self.targets.shape != needed:
            problem = f"targets of shape {self.targets.shape} beside answers of shape {shape}."
        elif self.ensemble is not None and self.ensemble.shape != shape:
            problem = f"the ensemble's answers have the shape {self.ensemble.shape}, not {shape}."
        elif self.votes is not None and self.votes.shape[1:] != shape:
            problem = f"the members' answers have the shape {self.votes.shape}, not (…, {shape})."
        elif self.classes and len(self.classes) != shape[1]:
            problem = f"there are {len(self.classes)} names for {shape[1]} classes."
        else:
            return
        raise ReportError(
            problem,
            where="Answers",
            fix="give answers (rows, classes), targets (rows,) and one name a class; of labels "
            "and values, targets of the shape of the answers.",
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, or their numbers."""
        return self.classes or tuple(str(number) for number in range(self.single.shape[1]))


@dataclass(frozen=True)  # without slots, so that what is asked for often can be kept
class Summary:
    """Everything that a page needs; all but the first four is left out where it is absent.

    Args:
        title: What the page is called.
        objective: What the search was after; of several metrics the first one.
        trials: Every trial.
        space: The hyperparameters.
        scheduler: Name of who decided how long trials were trained.
        searcher: Name of who proposed configs.
        seed: The study's seed.
        seconds: Wall time of the study.
        stopped: Why the search ended, in words.
        single: What was measured of the best trial; its validation numbers are those of its
            last epoch where absent.
        ensemble: The ensemble.
        answers: What the best trial and the ensemble answered on rows held out.
        data: Facts of the data, in words, by name.
        environment: Facts of the machine and the software, in words, by name.
        diagnosis: What is wrong with the training or the data.
        range_test: The learning-rate range test of the best trial.
        fit_metric: The metric that is the training loss, measured on validation rows; None
            where the loss is none of the metrics, and the two cannot be compared.
        goal: All metrics and limits, where there is more than the objective.
        refined: The trials that others were refined into by gradient.
    """

    title: str
    objective: Objective
    trials: tuple[Trial, ...]
    space: Space
    scheduler: str | None = None
    searcher: str | None = None
    seed: int | None = None
    seconds: float | None = None
    stopped: str | None = None
    single: Scores = field(default_factory=Scores)
    ensemble: Selection | None = None
    answers: Answers | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    diagnosis: "tuple[diagnostics.Finding, ...]" = ()
    range_test: "diagnostics.RangeTest | None" = None
    fit_metric: str | None = "log_loss"
    goal: Goal | None = None
    refined: tuple[Refined, ...] = ()

    @cached_property
    def epochs(self) -> int:
        """Epochs that all trials were trained for together."""
        return sum(len(trial.history) for trial in self.trials)

    @property
    def has_epochs(self) -> bool:
        """Whether any trial was trained for more than one epoch: a plain function has none."""
        return any(trial.epochs > 1 for trial in self.trials)

    @cached_property
    def best(self) -> Trial | None:
        """The trial with the best last value; None if no trial has one, or keeps the limits."""
        if self.goal is None:
            return next(iter(ranked(self.trials, self.objective)), None)
        merits = self.goal.merits(self.kept)
        valued = [trial for trial in self.kept if trial.id in merits]
        return min(valued, key=lambda trial: merits[trial.id].order, default=None)

    @cached_property
    def broken(self) -> tuple[Trial, ...]:
        """The trials that have a value and break a limit."""
        merits = {} if self.goal is None else self.goal.merits(self.trials)
        return tuple(t for t in self.trials if t.id in merits and merits[t.id].violation > 0.0)

    @cached_property
    def kept(self) -> tuple[Trial, ...]:
        """All other trials."""
        gone = {trial.id for trial in self.broken}
        return tuple(trial for trial in self.trials if trial.id not in gone)

    @cached_property
    def best_first(self) -> list[Trial]:
        """The trials that have a value, as the search ranks them."""
        if self.goal is None:
            return ranked(self.trials, self.objective)
        by_number = {trial.id: trial for trial in self.trials}
        return [by_number[number] for number in by_goal(self.goal.merits(self.trials))]

    @property
    def single_scores(self) -> Scores:
        """What was measured of the best trial, with the validation numbers of its last epoch."""
        if self.single.validation or self.best is None:
            return self.single
        return replace(self.single, validation=self.best.metrics)

    @property
    def ensemble_scores(self) -> Scores:
        """What was measured of the ensemble; empty if there is none."""
        return Scores() if self.ensemble is None else self.ensemble.scores


def ranked(trials: tuple[Trial, ...], objective: Objective) -> list[Trial]:
    """Return the trials that have a finite value, the best one first, the earlier on a tie.

    A trial whose rows lack the metric has none.
    """
    valued = [
        (objective.badness(value), trial.id, trial)
        for trial in trials
        if math.isfinite(value := last_value(trial, objective))
    ]
    return [trial for _, _, trial in sorted(valued, key=lambda item: item[:2])]


def last_value(trial: Trial, objective: Objective) -> float:
    """Return the objective's value after the trial's last epoch; NaN if there is none."""
    # Asked for some ten times of each of perhaps 100,000 trials.
    if not trial.history or trial.status in _LOST:
        return math.nan
    return trial.history[-1].get(objective.metric, math.nan)


def lost(trials: tuple[Trial, ...]) -> list[Trial]:
    """Return the trials that diverged or failed."""
    return [t for t in trials if t.status in _LOST]
