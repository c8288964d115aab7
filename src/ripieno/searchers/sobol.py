"""Points that fill a space more evenly than independent draws do.

Source: I. M. Sobol', "On the distribution of points in a cube and the approximate
evaluation of integrals", USSR Computational Mathematics and Mathematical Physics 7, 1967;
scrambled as in J. Matousek, "On the L2-discrepancy for anchored boxes", Journal of
Complexity 14, 1998.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SpaceError
from ripieno.records import Config, Trial
from ripieno.searchers.seeds import check_seed
from ripieno.space import Space

__all__ = ["Sobol"]

# A power of two, as the sequence is balanced over such blocks only.
_BLOCK = 64
_TRIES = 10_000


class Sobol:
    """Walks along a scrambled Sobol' sequence through the unit cube of a space.

    Where domains have priors, its points are spread as evenly under them.
    Points that break a constraint are skipped. The sequence is the same whether its configs
    are asked for one by one or in batches; it is never exhausted in practice (2^30 points).

    Args:
        space: What to fill.
        seed: A whole number from 0 up; it scrambles the sequence.

    Raises:
        SearchError: The seed is not a whole number from 0 up.
        SpaceError: The space has more dimensions than the sequence; or, from
            :meth:`suggest`, hardly any config keeps the constraints.
    """

    def __init__(self, space: Space, seed: int = 0) -> None:
        self._space = space
        self._points = _points(space, check_seed(seed, where="Sobol"))

    def suggest(self, count: int) -> list[Config]:
        """Return the next ``count`` configs."""
        return [self._next() for _ in range(count)]

    def observe(self, trials: Sequence[Trial]) -> None:
        """Ignore the trials: the sequence is the same whatever they gave."""

    def _next(self) -> Config:
        for _ in range(_TRIES):
            config = self._space.decode(self._space.favour(next(self._points)))
            if self._space.allows(config):
                return config
        raise SpaceError(
            f"none of {_TRIES:,} points in a row keeps all constraints.",
            where="; ".join(constraint.description for constraint in self._space.constraints),
            fix="loosen a constraint, or narrow the domains to where it holds.",
        )


def _points(space: Space, seed: int) -> Iterator[NDArray[np.float64]]:
    """Return an endless walk over points of shape ``(dims,)``."""
    # Loading scipy.stats takes a second, which no other searcher needs to pay.
    from scipy.stats import qmc

    if space.dims > qmc.Sobol.MAXDIM:
        raise SpaceError(
            f"the space has {space.dims:,} dimensions, and a Sobol' sequence has at most "
            f"{qmc.Sobol.MAXDIM:,}.",
            where=f"Sobol(space, seed={seed})",
            fix="use the random searcher.",
        )
    engine = qmc.Sobol(d=space.dims, scramble=True, rng=np.random.default_rng(seed))

    def walk() -> Iterator[NDArray[np.float64]]:
        while True:
            yield from engine.random(_BLOCK)

    return walk()
