"""What one session of a study runs on, and for how long."""

from collections.abc import Sequence

from ripieno.errors import StudyError
from ripieno.executors import Crew, Executor, InlineExecutor, ProcessExecutor, free_workers
from ripieno.ledger import Ledger
from ripieno.loop import Budget, StopReason
from ripieno.recipes import gpus_for
from ripieno.records import ArtifactStore, Runner, Trial
from ripieno.study.disk import Disk
from ripieno.study.jobs import Job, TuneJob
from ripieno.study.judging import Judge, JudgingExecutor
from ripieno.study.places import Place
from ripieno.study.settings import Settings

__all__ = ["check_end", "judged", "make_budget", "make_executor", "refuse_reading"]

_MOST_FAILURES = 20
"""Orders that may fail one after the other: then it is not the configs that are wrong."""


def judged(
    executor: Executor,
    job: Job,
    settings: Settings,
    *,
    ledger: Ledger,
    artifacts: ArtifactStore,
) -> Executor:
    """Return an executor whose outcomes are judged as the study wants it.

    Args:
        executor: Carries the orders out.
        job: What the orders train.
        settings: The study's.
        ledger: What happened so far, for a study whose trials are judged by the ensemble.
        artifacts: Where states and predictions lie.
    """
    if settings.judged_by == "metric" or not isinstance(job, TuneJob):
        return executor
    judge = Judge(job, artifacts, epochs=settings.epochs, events=ledger.events())
    return JudgingExecutor(executor, judge)


def make_executor(
    runner: Runner,
    artifacts: ArtifactStore,
    *,
    workers: int | Crew | Place | None,
    settings: Settings,
    for_many: bool = False,
) -> Executor:
    """Return the executor asked for; in this process for one worker, else one of processes.

    Args:
        runner: What carries the orders out.
        artifacts: Where states and predictions lie.
        workers: Processes, or a crew of them that have begun to start; None for as many as
            there are usable cores, or GPUs, for all devices, and for 1 where a function is
            called. Or
            an executor by its name.
        settings: The study's.
        for_many: Other processes are expected to share the study. One worker is a process
            then too: while something is trained in this one, nothing is handed to others.

    Raises:
        StudyError: There are no workers.
        WorkerError: A cluster cannot be reached.
    """
    if isinstance(workers, Place):
        return workers.host(runner, artifacts, settings=settings)
    minutes = settings.order_minutes
    patience = None if minutes is None else 60 * minutes
    if isinstance(workers, Crew):
        return ProcessExecutor(
            runner,
            artifacts,
            workers=workers.count,
            crew=workers,
            silence_seconds=patience,
            device=settings.device,
        )
    if workers is None:
        trains = settings.kind == "tune"
        workers = free_workers(settings.devices, gpus=gpus_for(settings.device)) if trains else 1
    if workers < 1:
        raise StudyError(
            f"workers = {workers} can do no work.", where="workers", fix="give 1 or more."
        )
    # An order that hangs can be ended in another process alone.
    if workers == 1 and patience is None and not for_many:
        return InlineExecutor(runner, artifacts)
    return ProcessExecutor(
        runner, artifacts, workers=workers, silence_seconds=patience, device=settings.device
    )


def make_budget(settings: Settings, *, clock: float, minutes: float | None, spent: float) -> Budget:
    """Return what the study may spend until the end of a session.

    Args:
        settings: The study's settings.
        clock: Seconds that it has been running, sessions before this one included.
        minutes: Wall time of this session; None for the study's own budget.
        spent: Seconds that this session has spent of its time already.
    """
    seconds = None
    if minutes is not None or settings.minutes is not None:
        until = clock + 60 * minutes if minutes is not None else 60 * (settings.minutes or 0.0)
        # What is left may be nothing; then the loop records what it has and ends at once.
        seconds = max(until - spent, clock + 0.001)
    return Budget(seconds=seconds, target=settings.target, failures=_MOST_FAILURES)


def refuse_reading(where: str) -> StudyError:
    """Return what is said where a study is to run that was opened without what it trains."""
    return StudyError(
        "the study was opened for reading.",
        where=where,
        fix="pass what it trains: rp.open(path, model=…, data=…) or objective=….",
    )


def check_end(reason: StopReason | None, *, room: Disk, trials: Sequence[Trial]) -> None:
    """Raise where a session ended before its time and the user has to know.

    Args:
        reason: Why it ended; None where another process led.
        room: What the study's arrays may take.
        trials: The study's, for the first error where one order after the other failed.

    Raises:
        DiskLimitError: The room is used up.
        StudyError: One order after the other failed.
        KeyboardInterrupt: Ctrl-C.
    """
    if reason is StopReason.INTERRUPTED:
        raise KeyboardInterrupt
    if reason is StopReason.DISK:
        raise room.error()
    if reason is StopReason.FAILURES:
        raise _all_failed(trials)


def _all_failed(trials: Sequence[Trial]) -> StudyError:
    failed = [trial for trial in trials if trial.error]
    first = f"trial {failed[0].id}: {failed[0].error}" if failed else "no error was recorded"
    return StudyError(
        f"{_MOST_FAILURES} orders failed one after the other; the study has stopped.",
        where=first,
        fix="mend the first error, then begin anew, or go on with the study: the trials that "
        "failed stay failed.",
    )
