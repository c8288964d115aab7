"""One run of a study: what it trains on, how long, and with whom."""

from dataclasses import dataclass

from ripieno.executors import Crew, Executor
from ripieno.ledger import Ledger, SqlLedger
from ripieno.loop import SharedExecutor, StopReason, run
from ripieno.records import ArtifactStore
from ripieno.study.course import Course
from ripieno.study.disk import Disk
from ripieno.study.driving import Driven, Driving
from ripieno.study.folder import Folder
from ripieno.study.jobs import Job
from ripieno.study.places import Place
from ripieno.study.progress import make_watcher
from ripieno.study.running import judged, make_budget, make_executor
from ripieno.study.settings import Settings

__all__ = ["Session"]


@dataclass(frozen=True, slots=True)
class Session:
    """Runs a study once.

    Args:
        job: What it trains.
        settings: Its settings.
        course: Who is trained next.
        ledger: Its record.
        artifacts: Where its states and predictions lie.
        folder: Where it lies; None for a study in memory, which nobody else can reach.
    """

    job: Job
    settings: Settings
    course: Course
    ledger: Ledger
    artifacts: ArtifactStore
    folder: Folder | None

    def run(
        self,
        room: Disk,
        *,
        workers: int | Crew | Place | None,
        minutes: float | None,
        spent: float,
        show: bool,
    ) -> Driven:
        """Search, or help another process that does.

        Args:
            room: What the study's arrays may take.
            workers: See :func:`ripieno.study.running.make_executor`.
            minutes: Wall time of this session; None for the study's own budget.
            spent: Seconds that this session has spent of its time already.
            show: Show how it goes on standard error.

        Raises:
            RipienoError: Whatever leading or carrying out orders raises.
            KeyboardInterrupt: Ctrl-C was pressed a second time.
        """
        runner = self.job.runner(self.settings)
        hosts = make_executor(
            runner,
            room.store,
            workers=workers,
            settings=self.settings,
            for_many=self.folder is not None and self.folder.elsewhere.is_file(),
        )

        def lead(executor: Executor, company: SharedExecutor | None) -> StopReason:
            scheduler = self.course.take()
            budget = make_budget(
                self.settings, clock=self.ledger.clock, minutes=minutes, spent=spent
            )
            objective = self.settings.objective
            with make_watcher(objective, show=show, seconds=budget.seconds) as watcher:
                reason = run(
                    scheduler,
                    self.ledger,
                    judged(
                        executor,
                        self.job,
                        self.settings,
                        ledger=self.ledger,
                        artifacts=room.store,
                    ),
                    objective=self.settings.goal,
                    artifacts=self.artifacts,
                    budget=budget,
                    watch=watcher,
                    is_full=room.is_full,
                    company=company,
                )
            self.course.keep(scheduler)
            return reason

        try:
            if self.folder is None or not isinstance(self.ledger, SqlLedger):
                return Driven(lead(hosts, None))
            return Driving(
                self.ledger,
                self.folder.url,
                hosts,
                group=runner.group,
                lead=lambda company: lead(company, company),
                moved=self.course.forget,
                show=show,
            ).run()
        finally:
            hosts.close()
