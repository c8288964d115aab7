"""Which trials can be combined into an ensemble, and what stands against it."""

from collections.abc import Sequence

from ripieno.errors import StudyError
from ripieno.records import Goal, Trial, TrialStatus
from ripieno.study.jobs import Job, TuneJob

__all__ = ["check_combinable", "library_of"]


def library_of(trials: Sequence[Trial], goal: Goal) -> list[Trial]:
    """Return the trials that left predictions, did not end badly and keep the limits."""
    good = {TrialStatus.PAUSED, TrialStatus.RUNNING}
    left = [t for t in trials if t.predictions and t.state and t.status in good]
    return [trial for trial in left if goal.violation(trial.metrics) == 0.0]


def check_combinable(
    job: Job | None, library: Sequence[Trial], *, kind: str, where: str
) -> TuneJob:
    """Return the job whose trials are to be combined.

    Args:
        job: What the study trains, if that is at hand.
        library: What :func:`library_of` found.
        kind: ``tune`` or ``search``.
        where: The study, in words.

    Raises:
        StudyError: There is nothing to combine.
    """
    if kind != "tune":
        raise StudyError(
            "a search over a function leaves no predictions to combine.",
            where="Study.ensemble()",
            fix="use rp.tune with a model, whose trials leave their predictions behind.",
        )
    if not isinstance(job, TuneJob):
        raise StudyError(
            "the study was opened without its model and data.",
            where=where,
            fix="pass them: rp.open(path, model=…, data=…).",
        )
    if not library:
        raise StudyError(
            "no trial has left predictions yet, or none of those keeps the limits.",
            where=where,
            fix="run the study for longer.",
        )
    return job
