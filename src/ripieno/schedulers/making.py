"""Schedulers by name, as the command line and ``search(…)`` know them."""

import difflib
from collections.abc import Collection

from ripieno.errors import SearchError
from ripieno.records import Goal, Objective
from ripieno.schedulers.asha import Asha
from ripieno.schedulers.freeze_thaw import FreezeThaw
from ripieno.schedulers.full_budget import FullBudget
from ripieno.schedulers.hyperband import Hyperband
from ripieno.schedulers.median_stop import MedianStop
from ripieno.schedulers.population_based import PopulationBased
from ripieno.schedulers.scheduler import Scheduler
from ripieno.schedulers.successive_halving import SuccessiveHalving
from ripieno.searchers import Searcher
from ripieno.space import Space

__all__ = ["make_scheduler"]

_NAMES = ("full", "halving", "hyperband", "bohb", "asha", "median", "pbt", "freezethaw")
_POPULATION = 20


def make_scheduler(
    name: str,
    searcher: Searcher,
    objective: Objective | Goal,
    *,
    epochs: int,
    trials: int | None = None,
    space: Space | None = None,
    changed: Collection[str] | None = None,
    seed: int = 0,
) -> Scheduler:
    """Return a scheduler with its usual settings.

    Args:
        name: ``"full"``, ``"halving"``, ``"hyperband"``, ``"bohb"``, ``"asha"``, ``"median"``,
            ``"pbt"`` or ``"freezethaw"``.
        searcher: What proposes the configs; under ``"bohb"``, which is Hyperband, one that
            learns.
        objective: What ranks the trials.
        epochs: The most epochs that a trial is trained for.
        trials: How many trials are started; None for no limit. For ``"pbt"`` the size of the
            population; None for 20.
        space: Where the configs are from; ``"pbt"`` alone needs it.
        changed: Hyperparameters that ``"pbt"`` may change in the middle of a training; None
            for all real numbers.
        seed: Of the draws of ``"pbt"``.

    Raises:
        SearchError: There is no scheduler of this name, a number is out of range,
            ``"halving"`` is given no number of trials, or ``"pbt"`` no space.
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
        case "hyperband" | "bohb":
            return Hyperband(searcher, objective, epochs=epochs, trials=trials, head_start=1)
        case "asha":
            return Asha(searcher, objective, epochs=epochs, trials=trials)
        case "median":
            return MedianStop(searcher, objective, epochs=epochs, trials=trials)
        case "freezethaw":
            return FreezeThaw(searcher, objective, epochs=epochs, trials=trials)
        case "pbt":
            if space is None:
                raise SearchError(
                    "population-based training changes configs, and space = None.",
                    where=where,
                    fix="pass the space that the searcher searches.",
                )
            return PopulationBased(
                searcher,
                objective,
                space=space,
                epochs=epochs,
                population=_POPULATION if trials is None else trials,
                changed=changed,
                seed=seed,
            )
    close = difflib.get_close_matches(str(name), _NAMES, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise SearchError(
        f"there is no scheduler called {name!r}{hint}.",
        where=where,
        fix=f"choose one of {', '.join(_NAMES)}.",
    )
