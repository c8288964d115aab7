"""Where a study's orders are carried out."""

import os

from ripieno.errors import StudyError
from ripieno.executors import Executor, InlineExecutor, ProcessExecutor
from ripieno.ledger import Ledger
from ripieno.records import ArtifactStore
from ripieno.study.jobs import Job, TuneJob
from ripieno.study.judging import Judge, JudgingExecutor
from ripieno.study.settings import Settings

__all__ = ["make_executor", "usable_cores"]


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_executor(
    job: Job,
    settings: Settings,
    *,
    ledger: Ledger,
    artifacts: ArtifactStore,
    workers: int | None,
) -> Executor:
    """Return an executor in this process, or one of several processes.

    Args:
        job: What the orders train.
        settings: The study's.
        ledger: What happened so far, for a study whose trials are judged by the ensemble.
        artifacts: Where states and predictions are put.
        workers: Processes; every usable core where absent, 1 for a function.

    Raises:
        StudyError: There is no worker.
    """
    if workers is None:
        workers = usable_cores() if settings.kind == "tune" else 1
    if workers < 1:
        raise StudyError(
            f"workers = {workers} can do no work.", where="workers", fix="give 1 or more."
        )
    runner = job.runner(settings)
    executor: Executor
    if workers == 1:
        executor = InlineExecutor(runner, artifacts)
    else:
        executor = ProcessExecutor(runner, artifacts, workers=workers)
    if settings.judged_by == "metric" or not isinstance(job, TuneJob):
        return executor
    judge = Judge(job, artifacts, epochs=settings.epochs, events=ledger.events())
    return JudgingExecutor(executor, judge)
