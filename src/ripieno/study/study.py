"""The object that a user holds: run and resume, best, trials, ensemble, report."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ripieno.diagnostics import Diagnosis
from ripieno.ensembles import CalibrationName, Combiner, CombinerName, Ensemble
from ripieno.errors import StudyError
from ripieno.ledger import Ledger
from ripieno.loop import Budget, StopReason, replay, run
from ripieno.records import ArtifactStore, Trial, TrialStatus
from ripieno.reports import trainings, write_page
from ripieno.schedulers import Scheduler
from ripieno.space import Space
from ripieno.study.diagnosing import diagnose_study
from ripieno.study.evaluation import Chosen, Evaluation, choose, evaluate
from ripieno.study.folder import Folder, write_text
from ripieno.study.jobs import Job, TuneJob
from ripieno.study.methods import find_combiner
from ripieno.study.progress import make_watcher
from ripieno.study.results import BestTrial, Results
from ripieno.study.settings import Settings
from ripieno.study.strategy import Strategy
from ripieno.study.summary import summarize
from ripieno.study.working import make_executor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Study"]


class Study:
    """A search and all that it found. Made by ``tune``, ``search`` and ``open``.

    A study is recorded as it goes: it can be stopped at any moment, killed included, and
    goes on with :meth:`run` as if nothing had happened.
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
        self.space = space
        self.folder = folder
        self._ledger = ledger
        self._artifacts = artifacts
        self._job = job
        self._strategy = strategy or Strategy()
        self._trials: tuple[Trial, ...] | None = None
        self._chosen: dict[tuple[object, ...], Chosen] = {}
        self._evaluation: Evaluation | None = None
        # Where the record ends, after a run: a user's own object cannot be replayed twice.
        self._scheduler: Scheduler | None = None
        self._reason: StopReason | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        place = self.folder.path if self.folder else "memory"
        return f"Study({len(self.trials)} trials, {self.settings.metric}, in {place})"

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

        Raises:
            StudyError: No trial has given a value.
        """
        objective = self.settings.objective
        found = [t for t in self.trials if t.value(objective) == t.value(objective)]
        if not found:
            errors = [t for t in self.trials if t.error]
            first = f"trial {errors[0].id}: {errors[0].error}" if errors else "no trial finished"
            raise StudyError(
                "the study has no best trial yet: no trial has given a value.",
                where=first,
                fix="mend the first error, or run the study for longer.",
            )
        return min(found, key=lambda trial: objective.badness(trial.value(objective)))

    @property
    def finished(self) -> bool:
        """Whether no order is open and the scheduler has nothing more to give."""
        if self._reason is not None:
            return self._reason is StopReason.FINISHED
        if self._ledger.open_orders():
            return False
        try:
            scheduler = self._strategy.scheduler(self.settings, self.space)
        except StudyError:  # the user's own object is not here, and nothing is open
            return True
        replay(scheduler, self._ledger)
        return not scheduler.ask(1)

    def run(
        self,
        *,
        minutes: float | None = None,
        workers: int | None = None,
        progress: bool = True,
        spent_seconds: float = 0.0,
    ) -> Self:
        """Start the search, or go on where it stopped, until it is done or out of budget.

        Args:
            minutes: Wall time for this session; the study's own budget where absent.
            workers: Processes; every usable core where absent, 1 for a function.
            progress: Show how it goes on standard error.
            spent_seconds: What this session has spent of its time already, on reading data.

        Raises:
            StudyError: The study was opened without its model, data or function.
            KeyboardInterrupt: Ctrl-C; everything that was finished is recorded first.
        """
        if self._job is None:
            raise StudyError(
                "the study was opened for reading.",
                where=repr(self),
                fix="pass what it trains: rp.open(path, model=…, data=…) or objective=….",
            )
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is None:
            scheduler = self._strategy.scheduler(self.settings, self.space)
            replay(scheduler, self._ledger)
        seconds = self._seconds(minutes, spent_seconds)
        budget = Budget(seconds=seconds, target=self.settings.target)
        executor = make_executor(
            self._job,
            self.settings,
            ledger=self._ledger,
            artifacts=self._artifacts,
            workers=workers,
        )
        watcher = make_watcher(self.settings.objective, show=progress, seconds=seconds)
        self._trials = self._evaluation = None
        self._chosen.clear()
        try:
            with watcher:
                reason = run(
                    scheduler,
                    self._ledger,
                    executor,
                    objective=self.settings.objective,
                    artifacts=self._artifacts,
                    budget=budget,
                    watch=watcher,
                )
        finally:
            executor.close()
        self._scheduler, self._reason = scheduler, reason
        if reason is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        return self

    def ensemble(
        self,
        method: CombinerName | Combiner | None = None,
        *,
        size: int | None = None,
        calibration: CalibrationName | None = None,
    ) -> Ensemble:
        """Return an ensemble of the search's trials; no model is trained.

        It is fitted on the validation predictions that every trial left behind.

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
        """Return what an ensemble and the best trial give on the test part.

        Every look at the test part makes it a little less of one: choose a method on the
        validation part (``chosen.estimated_gain()``), and measure one.
        """
        return evaluate(chosen, self.best)

    def results(self) -> Results:
        """Return the numbers of the study; the first call measures on the test part.

        They are kept in the study's folder, so that the test part is touched once for each
        state of the search.
        """
        stored = self._stored_results()
        if stored is not None:
            return stored
        best, ensemble = self._measured()
        results = Results(
            trials=len(self.trials),
            epochs=sum(len(trial.history) for trial in self.trials),
            seconds=round(self._ledger.clock, 3),
            best=best,
            ensemble=ensemble.result if ensemble else None,
            out=str(self.folder.path) if self.folder else None,
            finished=self.finished,
            folds=self.settings.folds,
            seeds=self.settings.seeds,
            training=list(trainings(self.trials)),
        )
        if self.folder is not None and self._job is not None:
            write_text(self.folder.results, json.dumps(results.to_dict(), indent=2))
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
        if path is None and self.folder is None:
            raise StudyError(
                "the study lives in memory and has no folder for a report.",
                where="Study.report()",
                fix='name a file: study.report("report.html").',
            )
        target = Path(path) if path is not None else self.folder.report  # type: ignore[union-attr]
        evaluation = self._evaluate() if self._can_evaluate() else None
        summary = summarize(self, self.results(), evaluation)
        write_page(summary, target)
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
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for trial in self.trials:
            row: dict[str, Any] = {"trial": trial.id, "status": trial.status.value}
            row |= {"epochs": trial.epochs, "parent": trial.parent}
            row |= {f"config_{name}": value for name, value in trial.config.items()}
            row |= dict(trial.metrics) | {"seconds": trial.seconds}
            rows.append(row)
        return pd.DataFrame(rows)

    def close(self) -> None:
        """Let go of the study's files; everything is on disk already."""
        self._ledger.close()

    def _seconds(self, minutes: float | None, spent: float) -> float | None:
        """Return the study time at which to stop, sessions before this one included."""
        clock = self._ledger.clock
        if minutes is None:
            if self.settings.minutes is None:
                return None
            until = 60 * self.settings.minutes
        else:
            until = clock + 60 * minutes
        # What is left may be nothing; then the loop records what it has and ends at once.
        return max(until - spent, clock + 0.001)

    def _library(self) -> list[Trial]:
        """Return the trials that left predictions and did not end badly."""
        good = {TrialStatus.PAUSED, TrialStatus.RUNNING}
        return [t for t in self.trials if t.predictions and t.state and t.status in good]

    def _can_evaluate(self) -> bool:
        return isinstance(self._job, TuneJob) and bool(self._library())

    def choose(
        self,
        method: CombinerName | Combiner | None = None,
        *,
        size: int | None = None,
        calibration: CalibrationName | None = None,
    ) -> Chosen:
        """Return the ensemble that these options select, not built yet; see :meth:`ensemble`."""
        if self.settings.kind != "tune":
            raise StudyError(
                "a search over a function leaves no predictions to combine.",
                where="Study.ensemble()",
                fix="use rp.tune with a model, whose trials leave their predictions behind.",
            )
        if not isinstance(self._job, TuneJob):
            raise StudyError(
                "the study was opened without its model and data.",
                where=repr(self),
                fix="pass them: rp.open(path, model=…, data=…).",
            )
        library: Sequence[Trial] = self._library()
        if not library:
            raise StudyError(
                "no trial has left predictions yet.",
                where=repr(self),
                fix="run the study for longer.",
            )
        # By identity: a user's own may not be hashable. What is kept holds on to it.
        key = (method if isinstance(method, str | None) else id(method), size, calibration)
        if key not in self._chosen:
            self._chosen[key] = choose(
                self._job,
                library,
                self._artifacts,
                reference=self.settings.recipe or "custom",
                combiner=find_combiner(method, self.settings, size=size, best=self.best),
                calibration=calibration,
            )
        return self._chosen[key]

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
        validation = dict(best.metrics)
        return BestTrial(best.id, dict(best.config), validation, test), evaluation

    def _stored_results(self) -> Results | None:
        """Return the results in the folder, if they are of the search's present state."""
        if self.folder is None or not self.folder.results.is_file():
            return None
        results = Results.read(self.folder.results)
        now = (len(self.trials), sum(len(trial.history) for trial in self.trials))
        return results if (results.trials, results.epochs) == now else None
