"""A study's first record."""

import shutil
import tempfile
import weakref
from pathlib import Path

from ripieno.errors import StudyError
from ripieno.ledger import FileArtifacts, SqlLedger, without_password
from ripieno.schedulers import Scheduler
from ripieno.searchers import Searcher
from ripieno.space import Space
from ripieno.study.folder import Folder
from ripieno.study.jobs import Job
from ripieno.study.settings import Settings
from ripieno.study.strategy import Strategy
from ripieno.study.study import Study

__all__ = ["begin", "make_strategy", "needs_folder"]


def begin(
    settings: Settings, *, job: Job, space: Space, strategy: Strategy, folder: Folder | None
) -> Study:
    """Return a study that has recorded nothing but its settings."""
    # Not in memory either way: worker processes must reach what the trials keep.
    artifacts = folder.artifacts if folder else Path(tempfile.mkdtemp(prefix="ripieno-"))
    study = Study(
        settings=settings,
        space=space,
        ledger=_create_ledger(folder, settings),
        artifacts=FileArtifacts(artifacts),
        job=job,
        folder=folder,
        strategy=strategy,
    )
    if folder is None:
        # A program may make thousands of such studies: each takes its files along.
        weakref.finalize(study, shutil.rmtree, artifacts, ignore_errors=True)
    return study


def _create_ledger(folder: Folder | None, settings: Settings) -> SqlLedger:
    if folder is None:
        return SqlLedger.create("sqlite://", settings.to_dict())
    return folder.create_ledger(settings.to_dict())


def needs_folder(storage: str, where: str) -> StudyError:
    """Return what is said where a study in a database is to have no folder."""
    return StudyError(
        f"a study in the database {without_password(storage)!r} needs a folder for its states.",
        where=where,
        fix="name a folder (`out=…`), or leave `storage` out.",
    )


def make_strategy(
    searcher: str | Searcher, scheduler: str | Scheduler, settings: Settings, *, space: Space
) -> Strategy:
    """Return the strategy, after a try that meets what is wrong before a folder is made."""
    own = Strategy(
        None if isinstance(searcher, str) else searcher,
        None if isinstance(scheduler, str) else scheduler,
    )
    if isinstance(scheduler, str):
        own.scheduler(settings, space)
    return own
