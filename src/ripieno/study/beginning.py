"""A study's first record, and what a user wishes to be tried in it first."""

import json
import shutil
import tempfile
import time
import warnings
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from ripieno.errors import LedgerError, RipienoWarning, StudyError
from ripieno.ledger import FileArtifacts, SqlLedger
from ripieno.records import Change, Goal
from ripieno.schedulers import Scheduler
from ripieno.searchers import Searcher
from ripieno.space import Space
from ripieno.study.changing import ConfigInput, WarmStart, enqueued, read_trials, warm
from ripieno.study.driving import is_run
from ripieno.study.folder import Folder
from ripieno.study.jobs import Job
from ripieno.study.settings import FurtherMetric, Settings
from ripieno.study.strategy import Strategy
from ripieno.study.study import Study

__all__ = ["Wishes", "begin", "find_folder", "further_metrics", "make_strategy"]

_LOOKS = 25
_LOOK_SECONDS = 0.2
_FRESH_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a new study begins with, checked before anything is written.

    Args:
        changes: What stands in its record before the first order.
    """

    changes: tuple[Change, ...]

    @classmethod
    def read(
        cls,
        configs: Iterable[ConfigInput],
        source: WarmStart | None,
        best: int,
        *,
        space: Space,
        goal: Goal,
    ) -> Self:
        """Return the wishes that a user named.

        Args:
            configs: What is tried first.
            source: Trials to learn from; None for none.
            best: So many of the best of them are tried after the configs.
            space: What is searched.
            goal: What the study is after.

        Raises:
            SpaceError: A config is none of the space.
            StudyError: There is no such study, or nothing can be learned from it.
        """
        changes = []
        first = enqueued(configs, space)
        if first.enqueued:
            changes.append(first)
        if source is not None:
            changes.append(warm(read_trials(source), space, goal=goal, best=best, known=()))
        elif best:
            raise StudyError(
                f"warm_best = {best}, and there is no study to take the best trials of.",
                where="warm_best / --warm-best",
                fix="name one: warm_start= or --warm-start.",
            )
        return cls(tuple(changes))


def begin(
    settings: Settings,
    *,
    job: Job,
    space: Space,
    strategy: Strategy,
    folder: Folder | None,
    wishes: Wishes,
    overwrite: bool,
) -> Study:
    """Return a study that has recorded nothing but its settings and a user's wishes.

    Where another process runs the very same study in the folder now, that one is returned:
    so the same command, given several times, works on one study.

    Raises:
        StudyError: The folder holds another study or other things, or cannot be written.
        LedgerError: The database cannot be reached, or holds a study already.
    """
    if folder is None:
        return _begun(settings, job, space, strategy=strategy, folder=None, wishes=wishes)
    join = partial(
        _join, settings, job=job, space=space, strategy=strategy, folder=folder, wishes=wishes
    )
    if not overwrite and isinstance(found := join(), Study):
        return found
    try:
        folder.create(overwrite=overwrite)
        return _begun(settings, job, space, strategy=strategy, folder=folder, wishes=wishes)
    except (StudyError, LedgerError):
        # Another process may be beginning the same study just now.
        may_come = _is_fresh(folder.path) or folder.is_everywhere
        for _ in range(_LOOKS if may_come else 0):
            found = join()
            if isinstance(found, Study):
                return found
            if not found:
                break
            time.sleep(_LOOK_SECONDS)
        raise


def _warn_of(wishes: Wishes, ledger: SqlLedger) -> None:
    """Say where the study that is joined has been begun with other wishes."""
    if tuple(ledger.changes[: len(wishes.changes)]) != wishes.changes:
        warnings.warn(
            "the study is run already, and is helped: the configs and trials that this command "
            "begins with (enqueue, warm_start) are not looked at.",
            RipienoWarning,
            stacklevel=5,
        )


def _is_fresh(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < _FRESH_SECONDS
    except OSError:
        return False


def _join(
    settings: Settings,
    *,
    job: Job,
    space: Space,
    strategy: Strategy,
    folder: Folder,
    wishes: Wishes,
) -> Study | bool:
    """Return the study of a folder, if it is this one and a process runs it now.

    Where there is none, return whether it may yet come: it is being begun, as it seems.
    """
    if not (folder.holds_study or folder.is_everywhere):
        return True
    try:
        ledger = folder.open_ledger()
    except (StudyError, LedgerError):
        return True
    same = dict(ledger.settings) == json.loads(json.dumps(settings.to_dict()))
    if same and is_run(folder.url):
        _warn_of(wishes, ledger)
        if folder.is_everywhere:
            folder.take_part()
        return Study(
            settings=settings,
            space=space,
            ledger=ledger,
            artifacts=folder.open_artifacts(),
            job=job,
            folder=folder,
            strategy=strategy,
        )
    # Wishes are recorded before anything is run, so that they alone are no study in progress.
    begun = bool(ledger.trials())
    ledger.close()
    return same and not begun


def _begun(
    settings: Settings,
    job: Job,
    space: Space,
    *,
    strategy: Strategy,
    folder: Folder | None,
    wishes: Wishes,
) -> Study:
    # Not in memory either way: worker processes must reach what the trials keep.
    scratch = None if folder else Path(tempfile.mkdtemp(prefix="ripieno-"))
    artifacts = folder.open_artifacts() if folder else FileArtifacts(str(scratch))
    facts = settings.to_dict()
    ledger = folder.create_ledger(facts) if folder else SqlLedger.create("sqlite://", facts)
    if wishes.changes:
        ledger.record(changes=wishes.changes)
    study = Study(
        settings=settings,
        space=space,
        ledger=ledger,
        artifacts=artifacts,
        job=job,
        folder=folder,
        strategy=strategy,
    )
    if scratch is not None:
        # A program may make thousands of such studies: each takes its files along.
        weakref.finalize(study, shutil.rmtree, scratch, ignore_errors=True)
    return study


def make_strategy(
    searcher: str | Searcher,
    scheduler: str | Scheduler,
    settings: Settings,
    *,
    space: Space,
    wishes: Wishes,
) -> Strategy:
    """Return the strategy, after a try that meets what is wrong before a folder is made.

    Raises:
        SearchError, SpaceError, StudyError: It cannot be, or cannot do what is wished.
    """
    own = Strategy(
        None if isinstance(searcher, str) else searcher,
        None if isinstance(scheduler, str) else scheduler,
    )
    if isinstance(scheduler, str) or wishes.changes:
        steering = own.steering(settings, space)
        for change in wishes.changes:
            steering.check(change, begun=False)
    return own


def further_metrics(goal: Goal, sources: Sequence[str | None]) -> tuple[FurtherMetric, ...]:
    """Return the objectives after the first one as the settings hold them.

    Args:
        goal: What the search is after.
        sources: Where each objective's metric is found again.
    """
    pairs = zip(goal.objectives, sources, strict=True)
    return tuple(FurtherMetric(o.metric, o.direction, source) for o, source in pairs)[1:]


def find_folder(
    path: str | Path | None, storage: str | None, artifacts: str | None, *, where: str
) -> Folder | None:
    """Return a study's folder, or None for a study in memory.

    Raises:
        StudyError: It would be in memory, and its record or its arrays elsewhere.
    """
    if path is not None:
        return Folder(Path(path), storage, artifacts)
    if storage is None and artifacts is None:
        return None
    raise StudyError(
        "a study whose record or arrays lie elsewhere needs a folder too: for its report and "
        "its ensemble, and to know where the rest lies.",
        where=where,
        fix="name a folder (`out=…`), or leave `storage` and `artifacts` out.",
    )
