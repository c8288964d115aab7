"""By which method a study combines its trials, unless told."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ripieno.ensembles import (
    COMBINERS,
    Combiner,
    CombinerName,
    Predictions,
    make_combiner,
    methods_of,
)
from ripieno.errors import StudyError
from ripieno.recipes import TaskName
from ripieno.records import Trial
from ripieno.study.settings import Settings

__all__ = ["check_method", "find_combiner"]


@dataclass(frozen=True, slots=True)
class _Alone:
    """The best trial by the study's objective, and no other."""

    trial: str

    def fit(self, library: Predictions) -> NDArray[np.float64]:
        found = np.array([name == self.trial for name in library.ids], dtype=np.float64)
        # The best trial may have left no predictions: then the first of the library is it.
        return found if found.any() else np.eye(library.members)[0]


def check_method(method: str, task: TaskName) -> str:
    """Return the name of a method that suits a task, or ``none``.

    Raises:
        StudyError: There is no such method, or it does not suit the task: found out before
            the search, not after it.
    """
    known = ("none", *methods_of(task))
    if method in known:
        return method
    raise StudyError(
        f"ensemble = {method!r} is no way to combine answers of {task}.",
        where="--ensemble / ensemble=",
        fix=f"use one of {', '.join(known)}; or pass an object of your own to "
        "study.ensemble(method=…).",
    )


def find_combiner(
    method: CombinerName | Combiner | None,
    settings: Settings,
    *,
    size: int | None,
    best: Trial,
) -> Combiner:
    """Return a combiner by name, the user's own, or the one that the settings name.

    Args:
        method: A name or a combiner; None for that of the settings.
        settings: The study's.
        size: Trials at most.
        best: The best trial, which answers alone where the settings say ``none``.

    Raises:
        EnsembleError: There is no such method, or a size is given to a user's own.
    """
    if method is None and settings.ensemble == "none":
        return _Alone(str(best.id))
    if method is not None:
        return make_combiner(method, size=size)
    for name in COMBINERS:
        if name == settings.ensemble:
            return make_combiner(name, size=size)
    return make_combiner("greedy", size=size)
