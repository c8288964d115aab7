"""Which searcher and which scheduler a study has."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import StudyError
from ripieno.population import deciding_names
from ripieno.records import Change, Config, Goal, Objective
from ripieno.schedulers import Scheduler, make_scheduler
from ripieno.searchers import (
    Searcher,
    Steered,
    choose_searcher,
    make_searcher,
)
from ripieno.space import Space
from ripieno.study.judging import JUDGED
from ripieno.study.settings import Settings
from ripieno.study.steering import Steering

__all__ = ["Strategy", "changed_names", "name_searcher"]

_BLOCK = 9
"""Random suggestions of one architecture at most, where models are trained as stacks: a third
of the largest bracket of 27 epochs, so that each rung of it still has several architectures."""
_ARCHITECTURES = 8
"""Architectures that even a short search looks at, before any is looked at twice."""
_RANDOM_SHARE = 1 / 3
"""Random configs beside those of a model that learns from rungs, as in BOHB."""
_RUNGS = frozenset({"halving", "hyperband", "bohb", "asha"})


class Strategy:
    """The searcher and scheduler of a study, by name or as the user's own objects.

    Args:
        searcher: The user's own searcher; None for the one that the settings name.
        scheduler: The user's own scheduler (which owns its searcher); None likewise.
    """

    def __init__(self, searcher: Searcher | None = None, scheduler: Scheduler | None = None):
        self._searcher = searcher
        self._scheduler = scheduler

    @property
    def is_own(self) -> bool:
        """Whether it holds an object of the user's, which cannot be made anew."""
        return self._searcher is not None or self._scheduler is not None

    def scheduler(self, settings: Settings, space: Space) -> Scheduler:
        """Return a scheduler that has given no order yet; see :meth:`steering`."""
        return self.steering(settings, space).scheduler

    def steering(self, settings: Settings, space: Space) -> Steering:
        """Return a scheduler that has given no order yet, with its searcher.

        Args:
            settings: The study's settings.
            space: What it searches at its beginning.

        Raises:
            StudyError: The study was started with the user's own object, and it is not here.
        """
        if self._scheduler is not None:
            return Steering(self._scheduler, None)
        if self._searcher is None and "custom" in {settings.searcher, settings.scheduler}:
            raise StudyError(
                "the study was started with a searcher or scheduler of your own.",
                where=f"searcher {settings.searcher!r}, scheduler {settings.scheduler!r}",
                fix="pass a new one to rp.open(…, searcher=…) or rp.open(…, scheduler=…).",
            )
        searcher = Steered(lambda space, changes: self._make(settings, space, changes), space)
        scheduler = make_scheduler(
            settings.scheduler,
            searcher,
            _judged(settings),
            epochs=settings.epochs,
            trials=settings.trials,
            space=space,
            changed=None if settings.tier is None else changed_names(space),
            seed=settings.seed,
        )
        return Steering(scheduler, searcher)

    def check(self, change: Change) -> None:
        """Refuse another space for a searcher of the user's own.

        Raises:
            StudyError: The change is one of the space.
        """
        if change.space is not None:
            raise StudyError(
                "the searcher is your own, and knows no other space than the one it was made for.",
                where=f"searcher {type(self._searcher).__name__}",
                fix="begin a new study with the new space, and warm_start= from this one.",
            )

    def _make(self, settings: Settings, space: Space, changes: int) -> Searcher:
        """Return a searcher of a space that was changed so many times."""
        if self._searcher is not None:
            return self._searcher
        stacked = settings.tier is not None
        block = _BLOCK if settings.trials is None else settings.trials // _ARCHITECTURES
        return make_searcher(
            settings.searcher,
            space,
            seed=_seed(settings.seed, changes),
            objective=settings.goal,
            shared=deciding_names(space) if stacked else (),
            block=max(1, min(block, _BLOCK)) if stacked else 1,
            random_share=_RANDOM_SHARE if settings.scheduler in _RUNGS else 0.0,
            encode=_encoding(space),
        )


def _encoding(space: Space) -> Callable[[Config], NDArray[np.float64]] | None:
    """Return what describes an architecture; None for a space of other things."""
    if "network" not in space:
        return None
    # It loads torch, which a search of anything else need not pay.
    from ripieno.nas import path_encoding

    return path_encoding(space)


def name_searcher(
    searcher: str | Searcher, scheduler: str | Scheduler, *, space: Space, trials: int | None
) -> tuple[str, str | None]:
    """Return the name of a study's searcher, and why it was chosen if the study chose it.

    Args:
        searcher: What the user asked for.
        scheduler: Likewise; ``"bohb"`` is Hyperband with a searcher that learns.
        space: What is searched.
        trials: Trials at most, or None.
    """
    if not isinstance(searcher, str):
        return "custom", None
    if searcher == "auto":
        choice = choose_searcher(space, trials=trials)
        return choice.name, choice.reason
    if searcher == "random" and scheduler == "bohb":
        return "treeparzen", "BOHB is Hyperband with a searcher that learns"
    return searcher, None


def _judged(settings: Settings) -> Goal | Objective:
    """Return what a scheduler compares trials by."""
    return Objective(JUDGED) if settings.judged_by == "ensemble" else settings.goal


def changed_names(space: Space) -> frozenset[str]:
    """Return what a tuned model can change while it is trained: not its architecture."""
    return frozenset(space.searched) - deciding_names(space)


def _seed(seed: int, changes: int) -> int:
    """Return the study's seed, and another one for each time that its space was changed."""
    if changes == 0:
        return seed
    return int(np.random.SeedSequence(seed, spawn_key=(changes,)).generate_state(1)[0])
