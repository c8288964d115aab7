"""Schedulers by name, as the command line and ``search(…)`` know them."""

import difflib

from ripieno.errors import SearchError
from ripieno.records import Objective
from ripieno.schedulers.full_budget import FullBudget
from ripieno.schedulers.hyperband import Hyperband
from ripieno.schedulers.scheduler import Scheduler
from ripieno.schedulers.successive_halving import SuccessiveHalving
from ripieno.searchers import Searcher

__all__ = ["make_scheduler"]

_NAMES = ("full", "halving", "hyperband")


def make_scheduler(
    name: str,
    searcher: Searcher,
    objective: Objective,
    *,
    epochs: int,
    trials: int | None = None,
) -> Scheduler:
    """Return a scheduler with its usual settings.

    Args:
        name: ``"full"``, ``"halving"`` or ``"hyperband"``.
        searcher: What proposes the configs.
        objective: What ranks the trials.
        epochs: The most epochs that a trial is trained for.
        trials: How many trials are started; None for no limit.

    Raises:
        SearchError: There is no scheduler of this name, a number is out of range, or
            ``"halving"`` is given no number of trials.
    """
    where = f"make_scheduler({name!r}, {epochs=}, {trials=})"
    match name:
        case "full":
            return FullBudget(searcher, epochs=epochs, trials=trials)
        case "halving":
            if trials is None:
                raise SearchError(
                    "successive halving needs to know the number of trials, and trials = None.",
                    where=where,
                    fix='give a number of trials, or use the scheduler "hyperband".',
                )
            return SuccessiveHalving(searcher, objective, epochs=epochs, trials=trials)
        case "hyperband":
            return Hyperband(searcher, objective, epochs=epochs, trials=trials)
    close = difflib.get_close_matches(str(name), _NAMES, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise SearchError(
        f"there is no scheduler called {name!r}{hint}.",
        where=where,
        fix=f"choose one of {', '.join(_NAMES)}.",
    )
