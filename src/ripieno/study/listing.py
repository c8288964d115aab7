"""The studies in a folder, one line each."""

from dataclasses import dataclass
from pathlib import Path

from ripieno.errors import RipienoError, StudyError
from ripieno.study.folder import Folder, studies_in
from ripieno.study.opening import open as open_study
from ripieno.study.study import Study

__all__ = ["StudyLine", "list_studies"]


@dataclass(frozen=True, slots=True)
class StudyLine:
    """What a list says of a study.

    Args:
        folder: Where it lies.
        size_bytes: Of all files in the folder.
        data: What it was tuned on; None for a search over a function and arrays in memory.
        trials: Trials begun.
        epochs: Epochs trained.
        seconds: Running time until the last outcome.
        metric: What the search is after.
        best: The best value of it so far, or None.
        problem: Why the study cannot be read, or None; then the numbers are 0.
    """

    folder: str
    size_bytes: int
    data: str | None = None
    trials: int = 0
    epochs: int = 0
    seconds: float = 0.0
    metric: str | None = None
    best: float | None = None
    problem: str | None = None


def list_studies(parent: Path) -> list[StudyLine]:
    """Return a line for each study right below a folder, by name.

    A study that cannot be read has a line that says why.

    Raises:
        StudyError: There is no such folder.
    """
    if not parent.is_dir():
        raise StudyError(
            f"there is no folder {str(parent)!r}.",
            where="ripieno ls",
            fix="name the folder that the studies' folders lie in.",
        )
    return [_line(folder) for folder in studies_in(parent)]


def _line(folder: Folder) -> StudyLine:
    size = sum(path.lstat().st_size for path in folder.path.rglob("*") if not path.is_dir())
    try:
        with open_study(folder.path, read_only=True) as study:
            return _read(study, folder, size)
    except RipienoError as error:
        return StudyLine(str(folder.path), size, problem=error.problem)


def _read(study: Study, folder: Folder, size_bytes: int) -> StudyLine:
    settings = study.settings
    try:
        best = study.best.value(settings.objective)
    except StudyError:  # no trial has a value yet
        best = None
    return StudyLine(
        str(folder.path),
        size_bytes,
        data=None if settings.data is None else settings.data.source,
        trials=len(study.trials),
        epochs=sum(len(trial.history) for trial in study.trials),
        seconds=max((t.finished_at for t in study.trials if t.finished_at > 0), default=0.0),
        metric=settings.metric,
        best=best,
    )
