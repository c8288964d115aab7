"""What one session of a study runs on, and for how long."""

from ripieno.errors import StudyError
from ripieno.executors import Crew, Executor, InlineExecutor, ProcessExecutor, usable_cores
from ripieno.ledger import Ledger
from ripieno.records import ArtifactStore, Runner
from ripieno.study.jobs import Job, TuneJob
from ripieno.study.judging import Judge, JudgingExecutor
from ripieno.study.settings import Settings

__all__ = ["make_executor", "session_end"]


def make_executor(
    job: Job,
    settings: Settings,
    *,
    ledger: Ledger,
    artifacts: ArtifactStore,
    workers: int | Crew | None,
) -> Executor:
    """Return an executor in this process for one worker, else one of processes.

    Args:
        job: What the orders train.
        settings: The study's.
        ledger: What happened so far, for a study whose trials are judged by the ensemble.
        artifacts: Where states and predictions lie.
        workers: Processes, or a crew of them that have begun to start; None for every usable
            core, and for 1 where a function is called.

    Raises:
        StudyError: There are no workers.
    """
    executor = _hosts(job.runner(settings), artifacts, workers=workers, kind=settings.kind)
    if settings.judged_by == "metric" or not isinstance(job, TuneJob):
        return executor
    judge = Judge(job, artifacts, epochs=settings.epochs, events=ledger.events())
    return JudgingExecutor(executor, judge)


def _hosts(
    runner: Runner, artifacts: ArtifactStore, *, workers: int | Crew | None, kind: str
) -> Executor:
    if isinstance(workers, Crew):
        return ProcessExecutor(runner, artifacts, workers=workers.count, crew=workers)
    if workers is None:
        workers = usable_cores() if kind == "tune" else 1
    if workers < 1:
        raise StudyError(
            f"workers = {workers} can do no work.", where="workers", fix="give 1 or more."
        )
    if workers == 1:
        return InlineExecutor(runner, artifacts)
    return ProcessExecutor(runner, artifacts, workers=workers)


def session_end(
    settings: Settings, *, clock: float, minutes: float | None, spent: float
) -> float | None:
    """Return the study time in seconds at which to stop; None for no limit.

    Args:
        settings: The study's settings.
        clock: Seconds that it has been running, sessions before this one included.
        minutes: Wall time of this session; None for the study's own budget.
        spent: Seconds that this session has spent of its time already.
    """
    if minutes is None and settings.minutes is None:
        return None
    until = clock + 60 * minutes if minutes is not None else 60 * (settings.minutes or 0.0)
    # What is left may be nothing; then the loop records what it has and ends at once.
    return max(until - spent, clock + 0.001)
