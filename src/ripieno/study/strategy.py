"""Which searcher and which scheduler a study has."""

from ripieno.errors import StudyError
from ripieno.population import deciding_names
from ripieno.records import Objective
from ripieno.schedulers import Scheduler, make_scheduler
from ripieno.searchers import Searcher, make_searcher
from ripieno.space import Space
from ripieno.study.judging import JUDGED
from ripieno.study.settings import Settings

__all__ = ["Strategy", "changed_names"]

_BLOCK = 9
"""Random suggestions of one architecture at most, where models are trained as stacks: a third
of the largest bracket of 27 epochs, so that each rung of it still has several architectures."""
_ARCHITECTURES = 8
"""Architectures that even a short search looks at, before any is looked at twice."""


class Strategy:
    """The searcher and scheduler of a study, by name or as the user's own objects.

    Args:
        searcher: The user's own searcher; None for the one that the settings name.
        scheduler: The user's own scheduler (which owns its searcher); None likewise.
    """

    def __init__(self, searcher: Searcher | None = None, scheduler: Scheduler | None = None):
        self._searcher = searcher
        self._scheduler = scheduler

    def scheduler(self, settings: Settings, space: Space) -> Scheduler:
        """Return a scheduler that has given no order yet.

        Raises:
            StudyError: The study was started with the user's own object, and it is not here.
        """
        if self._scheduler is not None:
            return self._scheduler
        if self._searcher is None and "custom" in {settings.searcher, settings.scheduler}:
            raise StudyError(
                "the study was started with a searcher or scheduler of your own.",
                where=f"searcher {settings.searcher!r}, scheduler {settings.scheduler!r}",
                fix="pass a new one to rp.open(…, searcher=…) or rp.open(…, scheduler=…).",
            )
        stacked = settings.tier is not None
        block = _BLOCK if settings.trials is None else settings.trials // _ARCHITECTURES
        searcher = self._searcher or make_searcher(
            settings.searcher,
            space,
            seed=settings.seed,
            shared=deciding_names(space) if stacked else (),
            block=max(1, min(block, _BLOCK)) if stacked else 1,
        )
        return make_scheduler(
            settings.scheduler,
            searcher,
            Objective(JUDGED) if settings.judged_by == "ensemble" else settings.objective,
            epochs=settings.epochs,
            trials=settings.trials,
            space=space,
            changed=None if settings.tier is None else changed_names(space),
            seed=settings.seed,
        )


def changed_names(space: Space) -> frozenset[str]:
    """Return what a tuned model can change while it is trained: not its architecture."""
    return frozenset(space.searched) - deciding_names(space)
