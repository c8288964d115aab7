"""Searchers by name, as the command line and ``search(…)`` know them."""

import difflib
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SearchError
from ripieno.records import Config, Goal, Objective
from ripieno.searchers.bananas import Bananas
from ripieno.searchers.blocks import Blocks
from ripieno.searchers.cmaes import CmaEs
from ripieno.searchers.enqueued import Enqueued
from ripieno.searchers.evolution import Evolution
from ripieno.searchers.gaussian_process import GaussianProcess
from ripieno.searchers.grid import Grid
from ripieno.searchers.local_search import LocalSearch
from ripieno.searchers.random import Random
from ripieno.searchers.reinforce import Reinforce
from ripieno.searchers.scalarized import SCALARIZED, Scalarized
from ripieno.searchers.searcher import Searcher, SwappingSearcher
from ripieno.searchers.sobol import Sobol
from ripieno.searchers.tree_parzen import TreeParzen
from ripieno.space import Space

__all__ = ["make_searcher", "searcher_names"]

_NAMES = (
    "random",
    "grid",
    "sobol",
    "treeparzen",
    "gaussianprocess",
    "cmaes",
    "evolution",
    "localsearch",
    "reinforce",
    "bananas",
)
_NO_ONE_NUMBER = frozenset({"grid", "random", "sobol", "gaussianprocess"})
"""Those that know several objectives and limits, or look at none."""


def searcher_names() -> tuple[str, ...]:
    """Return the names that :func:`make_searcher` knows, sorted."""
    return tuple(sorted(_NAMES))


def make_searcher(
    name: str,
    space: Space,
    *,
    seed: int,
    objective: Objective | Goal | None = None,
    shared: Collection[str] = (),
    block: int = 1,
    random_share: float = 0.0,
    encode: Callable[[Config], NDArray[np.float64]] | None = None,
) -> Searcher:
    """Return a searcher that gives the space's default config first.

    Args:
        name: ``"random"``, ``"grid"``, ``"sobol"``, ``"treeparzen"``, ``"gaussianprocess"``,
            ``"cmaes"``, ``"evolution"``, ``"localsearch"``, ``"reinforce"`` or ``"bananas"``.
            What ``"auto"`` stands for, :func:`choose_searcher` says.
        space: What to search.
        seed: A whole number from 0 up; a grid has no use for it.
        objective: What makes a trial good; needed by those that learn. The Gaussian process
            knows several objectives and limits; the others see one number for them
            (:class:`Scalarized`).
        shared: Names that ``block`` suggestions in a row have in common.
        block: See :class:`Random` and :class:`Blocks`; a grid, a Sobol' sequence and a searcher
            that cannot swap have no use for it.
        random_share: See :class:`TreeParzen`; the other searchers have no use for it.
        encode: See :class:`Bananas`; the other searchers have no use for it.

    Raises:
        SearchError: There is no searcher of this name, it needs an objective, or the seed is
            no seed.
        SpaceError: A grid over a continuous space, or a space whose constraints leave
            hardly any config.
    """
    goal = None if objective is None else Goal.of(objective)
    searcher: Searcher
    match name:
        case "grid":
            searcher = Grid(space)
        case "random":
            searcher = Random(space, seed, shared=shared, block=block)
        case "sobol":
            searcher = Sobol(space, seed)
        case _ if name in _NAMES:
            if goal is None:
                raise SearchError(
                    f"the searcher {name!r} learns from trials, and objective = None.",
                    where=f"make_searcher({name!r}, space)",
                    fix="pass the objective: Objective('loss', 'minimize').",
                )
            searcher = _learner(
                name, space, goal, seed=seed, random_share=random_share, encode=encode
            )
            if block > 1 and shared and isinstance(searcher, SwappingSearcher):
                searcher = Blocks(searcher, space, shared=shared, block=block)
        case _:
            raise _unknown(name)
    searcher = Enqueued([space.default()], searcher)
    if goal is None or goal.is_plain or name in _NO_ONE_NUMBER:
        return searcher
    return Scalarized(searcher, goal, seed=seed)


def _learner(
    name: str,
    space: Space,
    goal: Goal,
    *,
    seed: int,
    random_share: float,
    encode: Callable[[Config], NDArray[np.float64]] | None,
) -> Searcher:
    objective = goal.first if goal.is_plain else SCALARIZED
    match name:
        case "gaussianprocess":
            return GaussianProcess(space, goal, seed)
        case "cmaes":
            return CmaEs(space, objective, seed)
        case "evolution":
            return Evolution(space, objective, seed)
        case "localsearch":
            return LocalSearch(space, objective, seed)
        case "reinforce":
            return Reinforce(space, objective, seed)
        case "bananas":
            return Bananas(space, objective, seed, encode=encode)
    return TreeParzen(space, objective, seed, random_share=random_share)


def _unknown(name: str) -> SearchError:
    close = difflib.get_close_matches(str(name), _NAMES, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return SearchError(
        f"there is no searcher called {name!r}{hint}.",
        where=f"make_searcher({name!r}, space)",
        fix=f"choose one of {', '.join(_NAMES)}.",
    )
