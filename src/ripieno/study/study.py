"""The object that a user holds: run and resume, best, trials, ensemble, report."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ripieno.diagnostics import Diagnosis
from ripieno.ensembles import CalibrationName, Combiner, CombinerName, Ensemble
from ripieno.errors import StudyError
from ripieno.executors import Crew
from ripieno.hypergradient import Tuning
from ripieno.ledger import Ledger
from ripieno.loop import StopReason
from ripieno.records import (
    ArtifactStore,
    Refined,
    Trial,
    ancestry,
    config_by_epoch,
    refined_trials,
)
from ripieno.reports import write_page
from ripieno.space import Config, Space
from ripieno.study.changing import ConfigInput, WarmStart
from ripieno.study.course import Course
from ripieno.study.diagnosing import diagnose_study
from ripieno.study.disk import Disk, read_size
from ripieno.study.evaluation import Chosen, Evaluation, evaluate
from ripieno.study.finding import best_of, found_of, front_of, stored_results, table_of
from ripieno.study.folder import Folder, report_path, write_whole
from ripieno.study.jobs import Job, TuneJob
from ripieno.study.library import Choices, check_combinable, library_of
from ripieno.study.places import find_place
from ripieno.study.refining import Refinement, origin_of
from ripieno.study.results import BestTrial, Results
from ripieno.study.running import check_end, refuse_reading
from ripieno.study.session import Session
from ripieno.study.settings import Settings
from ripieno.study.strategy import Strategy
from ripieno.study.summary import summarize

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Study"]


class Study:
    """A search and all that it found. Made by ``tune``, ``search`` and ``open``.

    It is recorded as it goes: stopped at any moment, or killed, it goes on with :meth:`run`.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        space: Space,
        ledger: Ledger,
        artifacts: ArtifactStore,
        job: Job | None = None,
        folder: Folder | None = None,
        strategy: Strategy | None = None,
    ) -> None:
        self.settings = settings
        self.folder = folder
        self._ledger = ledger
        self._artifacts = artifacts
        self._job = job
        self._course = Course(settings, space, ledger=ledger, strategy=strategy or Strategy())
        self._trials: tuple[Trial, ...] | None = None
        self._choices = Choices(artifacts)
        self._evaluation: Evaluation | None = None
        self._reason: StopReason | None = None
        self.helped: int | None = None
        """Orders that the last run carried out for another process, which led; or None."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        place = self.folder.path if self.folder else "memory"
        return f"Study({len(self.trials)} trials, {self.settings.metric}, in {place})"

    @property
    def space(self) -> Space:
        """What is searched now."""
        return self._course.space

    @property
    def job(self) -> Job | None:
        """What the study trains; None where it was opened for reading."""
        return self._job

    @property
    def artifacts(self) -> ArtifactStore:
        """Where the trials' states and predictions lie, under the keys that trials hold."""
        return self._artifacts

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial by number, as far as it got."""
        if self._trials is None:
            self._trials = tuple(self._ledger.trials())
        return self._trials

    @property
    def best(self) -> Trial:
        """The best trial by the objective's value after its last epoch.

        Of several metrics the first one decides, so that it is a trial of the front. A trial
        that breaks a limit is never best.

        Raises:
            StudyError: No trial has given a value, or none keeps the limits.
        """
        return best_of(self.trials, self.settings.goal)

    @property
    def front(self) -> tuple[Trial, ...]:
        """The trials that keep all limits and that none dominates, best by the first metric."""
        return front_of(self.trials, self.settings.goal)

    def lineage(self, trial: int) -> tuple[Trial, ...]:
        """Return a trial and those that its state descends from, the oldest first."""
        return ancestry(self.trials, trial)

    def schedule(self, trial: int) -> tuple[Config, ...]:
        """Return the config in force at each epoch that a trial's state was trained for."""
        return config_by_epoch(self.trials, trial)

    @property
    def finished(self) -> bool:
        """Whether no order is open and the scheduler has nothing more to give."""
        if self._reason is not None:
            return self._reason is StopReason.FINISHED
        if self._ledger.open_orders():
            return False
        try:
            scheduler = self._course.replayed()
        except StudyError:  # the user's own object is not here, and nothing is open
            return True
        return not scheduler.ask(1)

    def run(
        self,
        *,
        minutes: float | None = None,
        trials: int | None = None,
        workers: int | Crew | None = None,
        devices: int | None = None,
        device: str | None = None,
        executor: str | None = None,
        address: str | None = None,
        disk: int | str | None = None,
        progress: bool = True,
        spent_seconds: float = 0.0,
    ) -> Self:
        """Start the search, or go on where it stopped, until it is done or out of budget.

        Args:
            minutes: Wall time for this session; the study's own budget where absent.
            trials: Trials at most in all, from now on; as many as before where absent.
            workers: As for :func:`tune`; for a function 1 where this and ``executor`` are absent.
            devices: Processes that train each trial together; as many as before where absent.
            device: Where models are trained, as for :func:`tune`; as before where absent.
            executor: As for :func:`tune`, and so is its address.
            address: Of the Ray cluster.
            disk: What states may take at most in this session; the study's limit where absent.
            progress: Show how it goes on standard error.
            spent_seconds: What this session has spent of its time already, on reading data.

        Raises:
            StudyError: There is nothing at hand to run, or no room for so many trials.
            KeyboardInterrupt: Ctrl-C; everything that was finished is recorded first.
        """
        if self._job is None:
            raise refuse_reading(repr(self))
        place = find_place(executor, address, workers, order_minutes=self.settings.order_minutes)
        if trials is not None:
            self._course.raise_trials(trials)
        settings = self.settings.on(devices, device, executor=executor)
        session = Session(
            self._job, settings, self._course, self._ledger, self._artifacts, self.folder
        )
        room = Disk(self._artifacts, read_size(disk) or self.settings.disk_bytes)
        self._trials = self._evaluation = None
        self._choices.clear()
        driven = session.run(
            room, workers=place, minutes=minutes, spent=spent_seconds, show=progress
        )
        self._reason, self.helped = driven.reason, driven.helped
        check_end(driven.reason, room=room, trials=self.trials)
        return self

    def enqueue(self, *configs: ConfigInput) -> Self:
        """Let configs be tried next, in this sequence, before anything is suggested.

        They count among the study's trials: one that has done all of its own needs
        ``run(trials=…)`` for them.

        Args:
            configs: Of the study's space; a hyperparameter that is left out takes its default.

        Raises:
            SpaceError: A config is none of the space.
            StudyError: The scheduler starts no more trials, or is your own.
        """
        self._course.enqueue(configs)
        self._reason = None
        return self

    def warm_start(self, source: WarmStart, *, best: int = 0) -> Self:
        """Let the searcher learn from the trials of another study.

        They become observations, not trials of this study, and are kept in its record. Which
        of them are left out says ``docs/warm-start.md``.

        Args:
            source: A study, its folder, or trials with the metrics of this study.
            best: So many of the best of them are tried here too, next.

        Raises:
            StudyError: There is no such study, or none of its trials can be learned from.
        """
        self._course.warm_start(source, best=best)
        self._reason = None
        return self

    def change_space(self, space: Space) -> Self:
        """Search another space from now on; what was found in the old one stays.

        Trials that the new space holds are what its searcher begins with; the others remain
        results (``docs/warm-start.md`` has the rule). Trials that are paused go on as ever.

        Raises:
            RecipeError, SpaceError: The new space cannot be searched.
            StudyError: A constraint is a function, or the scheduler or the searcher cannot
                change its space.
        """
        self._course.change_space(space, self._job)
        self._reason = None
        return self

    def refine(self, best: int = 3, *, tuning: Tuning | None = None) -> Self:
        """Tune the best configs by gradient, and let :meth:`run` try what they become as trials.

        Args:
            best: How many of the best.
            tuning: What is tuned, and how; None for all that the space searches and can be.

        Raises:
            StudyError: No trial can be tuned, or the scheduler starts no more trials.
        """
        found = Refinement(self._job, self.settings, self.space, tuning)
        self._course.refine(found.of(self.trials, best))
        self._reason = None
        return self

    def origin(self, trial: Trial) -> int | None:
        """Return the number of the trial that a trial was refined from; None if it was not."""
        return origin_of(trial, self._ledger.changes)

    @property
    def refined(self) -> tuple[Refined, ...]:
        """The trials that came of :meth:`refine`, and what each gained beside its origin."""
        return refined_trials(self.trials, self._ledger.changes, self.settings.objective)

    def ensemble(
        self,
        method: CombinerName | Combiner | None = None,
        *,
        size: int | None = None,
        calibration: CalibrationName | None = None,
    ) -> Ensemble:
        """Return an ensemble of the trials, fitted on the predictions that they left behind.

        Args:
            method: ``greedy`` (selection with replacement by log loss, and a soft vote with the
                weights it finds), ``soft``, ``hard``, ``geometric``, ``weighted``,
                ``stacking``, ``blending``, ``dynamic``; for a regression ``median`` and
                ``mixture`` too; or an object with ``fit(library)``. The study's own where
                absent.
            size: Trials in it at most; the method's own choice where absent.
            calibration: ``temperature``, ``vector`` or ``isotonic``, fitted on answers to
                validation rows by combinations that had not seen those rows.

        Raises:
            StudyError: The study is a search over a function, or no trial has predictions.
            EnsembleError: There is no such method, or it does not suit the task.
        """
        return self.choose(method, size=size, calibration=calibration).build()

    def measure(self, chosen: Chosen) -> Evaluation:
        """Return what an ensemble and the best trial give on the test part: look at one only."""
        return evaluate(chosen, self.best)

    def results(self) -> Results:
        """Return the numbers of the study; the first call measures on the test part.

        They are kept in the study's folder, so that the test part is touched once for each
        state of the search.
        """
        stored = stored_results(self.folder, self.trials)
        if stored is not None:
            return stored
        best, ensemble = self._measured()
        measured = ensemble.result if ensemble else None
        results = found_of(self, seconds=self._ledger.clock, best=best, ensemble=measured)
        if self.folder is not None and self._job is not None:
            write_whole(self.folder.results, json.dumps(results.to_dict(), indent=2))
        return results

    def finish(self) -> Results:
        """Measure, and leave the ensemble and the report in the study's folder."""
        results = self.results()
        if self.folder is not None:
            if results.ensemble is not None:
                self.ensemble().save(self.folder.ensemble)
            self.report(self.folder.report)
        return results

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report, one HTML file that needs nothing else.

        Args:
            path: Where to; ``report.html`` in the study's folder where absent.

        Raises:
            ReportError: The file cannot be written.
            StudyError: The study lives in memory, and no path is given.
        """
        target = report_path(path, self.folder)
        evaluation = self._evaluate() if self._can_evaluate() else None
        write_page(summarize(self, self.results(), evaluation), target)
        return target

    def diagnose(self, *, progress: bool = True) -> Diagnosis:
        """Train the best trial's config under observation, and say what is wrong with it.

        What is found is kept in the study's folder, and stands in the reports written from
        then on. The same study gives the same diagnosis.

        Args:
            progress: Say on standard error what is being looked at.

        Raises:
            StudyError: The study has no model and data at hand, or no trial has a value.
            RecipeError: The model cannot be trained at all.
        """
        return diagnose_study(self, progress=progress)

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row a trial: number, status, epochs, parent, config, last metrics."""
        return table_of(self.trials)

    def close(self) -> None:
        """Let go of the study's files; everything is on disk already."""
        self._ledger.close()

    def _can_evaluate(self) -> bool:
        return isinstance(self._job, TuneJob) and bool(library_of(self.trials, self.settings.goal))

    def choose(
        self,
        method: CombinerName | Combiner | None = None,
        *,
        size: int | None = None,
        calibration: CalibrationName | None = None,
    ) -> Chosen:
        """Return the ensemble that these options select, not built yet; see :meth:`ensemble`."""
        library = library_of(self.trials, self.settings.goal)
        job = check_combinable(self._job, library, kind=self.settings.kind, where=repr(self))
        return self._choices.choose(
            job,
            library,
            self.settings,
            method=method,
            size=size,
            calibration=calibration,
            best=self.best,
        )

    def _evaluate(self) -> Evaluation:
        """Return what the ensemble and the best trial give on the test part, measured once."""
        if self._evaluation is None:
            self._evaluation = evaluate(self.choose(), self.best)
        return self._evaluation

    def _measured(self) -> tuple[BestTrial | None, Evaluation | None]:
        try:
            best = self.best
        except StudyError:
            return None, None
        evaluation = self._evaluate() if self._can_evaluate() else None
        test = evaluation.best_test if evaluation else {}
        return BestTrial(best.id, dict(best.config), dict(best.metrics), test), evaluation
