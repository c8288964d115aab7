"""Which trials can be combined into an ensemble, and what was made of them."""

from collections.abc import Sequence

from ripieno.ensembles import CalibrationName, Combiner, CombinerName
from ripieno.errors import StudyError
from ripieno.records import ArtifactStore, Goal, Trial, TrialStatus
from ripieno.study.evaluation import Chosen, choose
from ripieno.study.jobs import Job, TuneJob
from ripieno.study.methods import find_combiner
from ripieno.study.settings import Settings

__all__ = ["Choices", "check_combinable", "library_of"]


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


class Choices:
    """Ensembles that were selected, each once.

    Args:
        artifacts: Where the trials' states and predictions lie.
    """

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._chosen: dict[tuple[object, ...], Chosen] = {}

    def clear(self) -> None:
        """Forget them: the search goes on."""
        self._chosen.clear()

    def choose(
        self,
        job: TuneJob,
        library: Sequence[Trial],
        settings: Settings,
        *,
        method: CombinerName | Combiner | None,
        size: int | None,
        calibration: CalibrationName | None,
        best: Trial,
    ) -> Chosen:
        """Return the ensemble that these options select; see ``Study.ensemble``."""
        # By identity: a user's own may not be hashable. What is kept holds on to it.
        key = (method if isinstance(method, str | None) else id(method), size, calibration)
        if key not in self._chosen:
            self._chosen[key] = choose(
                job,
                library,
                self._artifacts,
                reference=settings.recipe or "custom",
                wanted=settings.metric,
                combiner=find_combiner(method, settings, size=size, best=best),
                calibration=calibration,
            )
        return self._chosen[key]
