"""Every config of a finite space, one after another."""

from collections.abc import Sequence
from itertools import islice

from ripieno.records import Config, Trial
from ripieno.space import Space

__all__ = ["Grid"]


class Grid:
    """Walks through all configs of a finite space, and then is exhausted.

    The first hyperparameter changes slowest and the last one fastest, as
    :meth:`Space.grid` says. Configs are made when they are asked for, so a grid may be of
    any size.

    Args:
        space: What to walk through; every hyperparameter must be countable.

    Raises:
        SpaceError: A hyperparameter is continuous.
    """

    def __init__(self, space: Space) -> None:
        self._configs = space.grid()

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs of the grid; fewer than ``count`` at its end."""
        return list(islice(self._configs, max(count, 0)))

    def observe(self, trials: Sequence[Trial]) -> None:
        """Ignore the trials: a grid is the same whatever they gave."""
