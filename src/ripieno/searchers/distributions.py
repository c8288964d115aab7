"""What CMA-ES draws from: the optimizers of the ``cmaes`` package, over the unit cube.

Source: N. Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772, 2016; R. Hamano,
S. Saito, M. Nomura, K. Uchida, S. Shirakawa, "CatCMA with Margin: Stochastic Optimization for
Mixed-Variable Problems", arXiv:2504.07884, 2025 (whole numbers and choices).
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ripieno.space import Categorical, Space

__all__ = ["Continuous", "Distribution", "Mixed", "make_distribution"]

Array = NDArray[np.float64]

_SIGMA = 1.0 / 6.0
_MOST_VALUES = 32


class Distribution(Protocol):
    """Draws solutions, and learns from the ranking of a generation of them.

    A solution is what the optimizer wants to have back; a point is where it is in the cube.
    """

    @property
    def population_size(self) -> int:
        """Solutions of a generation."""

    def ask(self) -> tuple[Any, Array]:
        """Return a solution and its point, shape ``(dims,)``."""

    def at(self, point: Array) -> Any:
        """Return the solution that stands for a point that was not drawn."""

    def tell(self, solutions: Sequence[Any]) -> None:
        """Learn from a generation of solutions, the best first."""

    def should_stop(self) -> bool:
        """Say whether it has contracted as far as numbers go."""


def make_distribution(
    space: Space, *, mean: Array, seed: int, population: int | None
) -> Distribution | None:
    """Return the distribution for a space; None where nothing is to be chosen.

    Args:
        space: The space.
        mean: Where to begin, shape ``(dims,)``.
        seed: From 0 up to 2^32 - 1.
        population: Solutions of a generation; None for the usual number.
    """
    sizes = [space[name].size for name in space.searched]
    if all(size == 1 for size in sizes):
        return None
    if all(size > _MOST_VALUES and not _is_choice(space, n) for n, size in _sized(space)):
        return Continuous(mean, seed=seed, population=population)
    return Mixed(space, mean=mean, seed=seed, population=population)


def _sized(space: Space) -> list[tuple[str, float]]:
    return [(name, space[name].size) for name in space.searched]


def _is_choice(space: Space, name: str) -> bool:
    # Two values have no order that could be learnt: the source treats them as choices too.
    return isinstance(space[name], Categorical) or space[name].size == 2


class Continuous:
    """Plain CMA-ES in a cube: solutions are points."""

    def __init__(self, mean: Array, *, seed: int, population: int | None) -> None:
        # It loads scipy.stats, which takes a second that no other searcher needs to pay.
        from cmaes import CMA

        bounds = np.tile([0.0, 1.0], (len(mean), 1))
        self._cma = CMA(mean, _SIGMA, bounds=bounds, seed=seed, population_size=population)

    @property
    def population_size(self) -> int:
        """Solutions of a generation."""
        return int(self._cma.population_size)

    def ask(self) -> tuple[Array, Array]:
        """Return a point, twice."""
        point = self._cma.ask()
        return point, point

    def at(self, point: Array) -> Array:
        """Return the point."""
        return point

    def tell(self, solutions: Sequence[Array]) -> None:
        """Learn from a generation, the best first; only the ranking counts in CMA-ES."""
        self._cma.tell([(point, float(rank)) for rank, point in enumerate(solutions)])

    def should_stop(self) -> bool:
        """Say whether it has contracted as far as numbers go."""
        return bool(self._cma.should_stop())


class Mixed:
    """CatCMA with margin: normal for numbers, a table for choices.

    The margin keeps a least probability for the values of a whole number beside its present
    one, without which a contracting normal distribution gets stuck at one value.
    """

    def __init__(self, space: Space, *, mean: Array, seed: int, population: int | None) -> None:
        from cmaes import CatCMAwM

        self._solution = CatCMAwM.Solution
        self._dims = space.dims
        sized = list(enumerate(_sized(space)))
        self._choices = [i for i, (n, size) in sized if size > 1 and _is_choice(space, n)]
        numbers = [i for i, (n, size) in sized if size > 1 and not _is_choice(space, n)]
        self._reals = [i for i in numbers if sized[i][1][1] > _MOST_VALUES]
        self._whole = [i for i in numbers if i not in self._reals]
        self._sizes = [int(sized[i][1][1]) for i in self._choices]
        gaussian = self._reals + self._whole
        domains = [space[name] for name in space.searched]
        self._optimizer = CatCMAwM(
            x_space=[[0.0, 1.0] for _ in self._reals] or None,
            z_space=[
                [domains[i].encode(domains[i].nth(k)) for k in range(int(domains[i].size))]
                for i in self._whole
            ]
            or None,
            c_space=self._sizes or None,
            population_size=population,
            mean=mean[gaussian] if gaussian else None,
            sigma=_SIGMA,
            cov=np.eye(len(gaussian)) if gaussian else None,
            seed=seed,
        )

    @property
    def population_size(self) -> int:
        """Solutions of a generation."""
        return int(self._optimizer.population_size)

    def ask(self) -> tuple[Any, Array]:
        """Return a solution and its point."""
        solution = self._optimizer.ask()
        point = np.full(self._dims, 0.5)
        if solution.x is not None:
            point[self._reals] = solution.x
        if solution.z is not None:
            point[self._whole] = solution.z
        if solution.c is not None:
            point[self._choices] = (solution.c.argmax(axis=1) + 0.5) / self._sizes
        return solution, point

    def at(self, point: Array) -> Any:
        """Return the solution that stands for a point that was not drawn."""
        chosen = np.zeros((len(self._choices), max(self._sizes, default=0)), np.bool_)
        for row, (index, size) in enumerate(zip(self._choices, self._sizes, strict=True)):
            chosen[row, min(int(point[index] * size), size - 1)] = True
        raw = point[self._reals + self._whole]
        return self._solution(
            point[self._reals] if self._reals else None,
            point[self._whole] if self._whole else None,
            chosen if self._choices else None,
            raw if len(raw) else None,
        )

    def tell(self, solutions: Sequence[Any]) -> None:
        """Learn from a generation, the best first."""
        self._optimizer.tell([(each, float(rank)) for rank, each in enumerate(solutions)])

    def should_stop(self) -> bool:
        """Say whether its numbers have contracted; tables alone have no such end."""
        return bool((self._reals or self._whole) and self._optimizer.should_stop())
