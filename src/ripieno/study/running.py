"""What one session of a study runs on."""

from collections.abc import Sequence

from ripieno.errors import StudyError
from ripieno.executors import Crew, Executor, InlineExecutor, ProcessExecutor, usable_cores
from ripieno.records import ArtifactStore, Runner, Trial
from ripieno.study.settings import Settings

__all__ = ["MOST_FAILURES", "all_failed", "make_executor"]

MOST_FAILURES = 20
"""Orders that may fail one after the other: then it is not the configs that are wrong."""


def make_executor(
    runner: Runner,
    artifacts: ArtifactStore,
    *,
    workers: int | Crew | None,
    settings: Settings,
) -> Executor:
    """Return an executor in this process for one worker, else one of processes.

    Args:
        runner: What carries orders out.
        artifacts: Where states and predictions lie.
        workers: Processes, or a crew of them that have begun to start; None for every usable
            core, and for 1 where a function is called.
        settings: The study's settings. An order that hangs can be ended in a process alone.

    Raises:
        StudyError: There are no workers.
    """
    minutes = settings.order_minutes
    patience = None if minutes is None else 60 * minutes
    if isinstance(workers, Crew):
        return ProcessExecutor(
            runner, artifacts, workers=workers.count, crew=workers, silence_seconds=patience
        )
    if workers is None:
        workers = usable_cores() if settings.kind == "tune" else 1
    if workers < 1:
        raise StudyError(
            f"workers = {workers} can do no work.", where="workers", fix="give 1 or more."
        )
    if workers == 1 and patience is None:
        return InlineExecutor(runner, artifacts)
    return ProcessExecutor(runner, artifacts, workers=workers, silence_seconds=patience)


def all_failed(trials: Sequence[Trial]) -> StudyError:
    """Return what is said where one order after the other failed: the first error."""
    failed = [trial for trial in trials if trial.error]
    first = f"trial {failed[0].id}: {failed[0].error}" if failed else "no error was recorded"
    return StudyError(
        f"{MOST_FAILURES} orders failed one after the other; the study has stopped.",
        where=first,
        fix="mend the first error, then begin anew, or go on with the study: the trials that "
        "failed stay failed.",
    )
