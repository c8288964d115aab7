"""Searchers by name, as the command line and ``search(…)`` know them."""

import difflib
from collections.abc import Collection

from ripieno.errors import SearchError
from ripieno.searchers.enqueued import Enqueued
from ripieno.searchers.grid import Grid
from ripieno.searchers.random import Random
from ripieno.searchers.searcher import Searcher
from ripieno.searchers.sobol import Sobol
from ripieno.space import Space

__all__ = ["make_searcher", "searcher_names"]

_NAMES = ("grid", "random", "sobol")


def searcher_names() -> tuple[str, ...]:
    """Return the names that :func:`make_searcher` knows, sorted."""
    return tuple(sorted(_NAMES))


def make_searcher(
    name: str, space: Space, *, seed: int, shared: Collection[str] = (), block: int = 1
) -> Searcher:
    """Return a searcher that gives the space's default config first.

    Args:
        name: ``"grid"``, ``"random"`` or ``"sobol"``.
        space: What to search.
        seed: A whole number from 0 up; a grid has no use for it.
        shared: Names that ``block`` random suggestions in a row have in common.
        block: See :class:`Random`; the other searchers have no use for it.

    Raises:
        SearchError: There is no searcher of this name, or the seed is no seed.
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
        case _:
            close = difflib.get_close_matches(str(name), _NAMES, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise SearchError(
                f"there is no searcher called {name!r}{hint}.",
                where=f"make_searcher({name!r}, space)",
                fix=f"choose one of {', '.join(_NAMES)}.",
            )
    return Enqueued([space.default()], searcher)
