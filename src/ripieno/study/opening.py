"""The way to a study that was begun before: open its folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ripieno.errors import StudyError
from ripieno.recipes import Reading
from ripieno.schedulers import Scheduler
from ripieno.searchers import Searcher
from ripieno.space import Space
from ripieno.study.aims import MetricInputs, find_aims_again
from ripieno.study.folder import Folder
from ripieno.study.inputs import DataInput, ModelInput, read_data, read_recipe
from ripieno.study.jobs import Job, SearchJob, TuneJob
from ripieno.study.settings import Settings
from ripieno.study.strategy import Strategy
from ripieno.study.study import Study

__all__ = ["open"]


def open(  # noqa: A001 - rp.open, as one says it
    path: str | Path,
    *,
    model: ModelInput | None = None,
    data: DataInput | None = None,
    metric: MetricInputs | None = None,
    objective: Callable[..., Any] | None = None,
    space: Space | None = None,
    searcher: Searcher | None = None,
    scheduler: Scheduler | None = None,
    storage: str | None = None,
    artifacts: str | None = None,
    read_only: bool = False,
) -> Study:
    """Open a study's folder, to read it or to go on with it.

    What the study's folder names (``cnn``, ``digits``, a file, ``FILE.py:NAME``) is found
    again; Python objects cannot be stored and are passed again.

    Args:
        path: The folder.
        model: The model function or recipe, if it was a Python object.
        data: The data, if they were Python objects.
        metric: The metric, or the list of them, if it was a Python object.
        objective: The function, of a study that ``search`` began.
        space: The space that the study was begun with, if its constraints are functions.
        searcher: A fresh searcher, if it was your own.
        scheduler: A fresh scheduler, if it was your own.
        storage: Address of the database, where the one that the folder remembers is not to be
            used: it moved, or needs a password that libpq does not find by itself.
        artifacts: Address of states and predictions, where the one that the folder remembers
            is not to be used. With both, the folder may be a new one of this machine.
        read_only: Leave model and data alone; the study can be read, not run.

    Raises:
        StudyError: The folder holds no study, or the data are not those it was begun with.
        LedgerError: The study's record cannot be read.
    """
    folder = Folder(Path(path), storage, artifacts)
    ledger = folder.open_ledger()
    settings = Settings.from_dict(ledger.settings, where=str(folder.path))
    space = space or settings.read_space()
    job: Job | None = SearchJob(objective) if objective is not None else None
    if settings.kind == "tune" and not read_only:
        job = _find_job(settings, space, model=model, data=data, metric=metric)
        space = (job.recipe.space if job else None) or space
    if folder.is_everywhere and not read_only:
        folder.take_part()
    return Study(
        settings=settings,
        space=space,
        ledger=ledger,
        artifacts=folder.open_artifacts(),
        job=job,
        folder=folder,
        strategy=Strategy(searcher, scheduler),
    )


def _find_job(
    settings: Settings,
    space: Space,
    *,
    model: ModelInput | None,
    data: DataInput | None,
    metric: MetricInputs | None,
) -> TuneJob | None:
    """Return what a tuned study trains, or None where it cannot be found again."""
    reference = settings.data
    assert reference is not None  # noqa: S101 - a tuned study always has data
    if "custom" in settings.sources and model is data is metric is None:
        return None
    model = model if model is not None else settings.recipe
    data = data if data is not None else reference.source
    if model == "custom" or model is None or data is None:
        return None
    reading = Reading.from_dict({**reference.reading, "target": reference.target})
    read, _ = read_data(data, reading, seed=settings.seed, folds=settings.folds)
    if read.fingerprint != reference.fingerprint:
        raise StudyError(
            "the data are not those that the study was begun with.",
            where=f"data {reference.source or 'from Python'}",
            fix="bring the original data back, or start a new study with the new ones.",
        )
    recipe, _, _ = read_recipe(
        model, read, space=space, epochs=settings.epochs, epoch_rows=settings.epoch_rows
    )
    aims = find_aims_again(settings, metric, recipe=recipe, data=read)
    return TuneJob(aims.recipe, read, settings.seeds)
