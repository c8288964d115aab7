"""Searchers by name, as the command line and ``search(…)`` know them."""

import difflib
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SearchError
from ripieno.records import Config, Objective
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


def searcher_names() -> tuple[str, ...]:
    """Return the names that :func:`make_searcher` knows, sorted."""
    return tuple(sorted(_NAMES))


def make_searcher(
    name: str,
    space: Space,
    *,
    seed: int,
    objective: Objective | None = None,
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
        objective: What makes a trial good; needed by those that learn.
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
    searcher: Searcher
    match name:
        case "grid":
            searcher = Grid(space)
        case "random":
            searcher = Random(space, seed, shared=shared, block=block)
        case "sobol":
            searcher = Sobol(space, seed)
        case _ if name in _NAMES:
            if objective is None:
                raise SearchError(
                    f"the searcher {name!r} learns from trials, and objective = None.",
                    where=f"make_searcher({name!r}, space)",
                    fix="pass the objective: Objective('loss', 'minimize').",
                )
            searcher = _learner(
                name, space, objective, seed=seed, random_share=random_share, encode=encode
            )
            if block > 1 and shared and isinstance(searcher, SwappingSearcher):
                searcher = Blocks(searcher, space, shared=shared, block=block)
        case _:
            raise _unknown(name)
    return Enqueued([space.default()], searcher)


def _learner(
    name: str,
    space: Space,
    objective: Objective,
    *,
    seed: int,
    random_share: float,
    encode: Callable[[Config], NDArray[np.float64]] | None,
) -> Searcher:
    match name:
        case "gaussianprocess":
            return GaussianProcess(space, objective, seed)
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
