"""A space without the configs of which no network can be built."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from ripieno.errors import RecipeError
from ripieno.recipes.augmentation import check_augmentation
from ripieno.recipes.knobs import KNOBS
from ripieno.recipes.mixing import check_mixing
from ripieno.recipes.recipe import extremes
from ripieno.space import Domain, Space, Value

__all__ = ["CheckedFactory", "restricted"]

_MOST = 4_096
"""Combinations that are tried; of a larger space, what does not work is a failed trial."""

_Values = Mapping[str, Value]


@runtime_checkable
class CheckedFactory(Protocol):
    """A model factory that knows, before it builds anything, what it can build."""

    def check_names(self, config: Mapping[str, Value]) -> None:
        """Raise RecipeError for a hyperparameter or a value that the factory does not know."""

    def check(self, config: Mapping[str, Value]) -> None:
        """Raise RecipeError for a config of which no network can be built."""

    def decides(self, name: str) -> bool:
        """Say whether it depends on this hyperparameter if a network can be built."""


def restricted(space: Space, factory: object, *, shape: tuple[int, ...]) -> Space:
    """Return the space with rules against what the factory cannot build.

    Every combination of the hyperparameters that decide is tried, and the rules are
    expressions, so that they travel with the space. Where there are more than 4,096
    combinations the space is left as it is: what does not work is then a failed trial that
    says why.

    Args:
        space: What is searched; left unchanged.
        factory: A model factory; one that is no :class:`CheckedFactory` rules nothing out.
        shape: Shape of one row of the data.

    Raises:
        RecipeError: The factory does not know a hyperparameter, or can build no config at
            all, or the space augments what is no image, or mixes boxes of it.
    """
    wanted = [name for name in space if any(value != 0 for value in extremes(space, name))]
    check_augmentation(wanted, shape, where="the space that is searched")
    check_mixing(wanted, shape, where="the space that is searched")
    if not isinstance(factory, CheckedFactory):
        return space
    for name in space:
        for value in extremes(space, name):
            if name not in KNOBS:
                factory.check_names({name: value})
    known = {constraint.rule for constraint in space.constraints}
    for cube in _impossible(_combinations(space, factory), factory):
        rule = f"not ({' and '.join(f'{name} == {value!r}' for name, value in cube.items())})"
        if rule not in known:
            words = ", ".join(f"{name} = {value!r}" for name, value in cube.items())
            space = space.where(rule, f"no network can be built with {words}")
    return space


def _combinations(space: Space, factory: CheckedFactory) -> list[_Values]:
    """Return the values of all hyperparameters that decide; none where there are too many."""
    chosen: dict[str, Domain] = {}
    waiting = [name for name in space if factory.decides(name)]
    while waiting:
        name = waiting.pop()
        chosen[name] = space[name]
        waiting += [parent for parent, _ in space[name].conditions if parent not in chosen]
    part = Space(**{name: domain for name, domain in space.items() if name in chosen})
    return list(part.grid()) if part.size <= _MOST else []


def _impossible(combinations: Sequence[_Values], factory: CheckedFactory) -> list[_Values]:
    """Return what cannot be built, each as the fewest values that say so."""
    good, broken = [], []
    for config in combinations:
        try:
            factory.check(config)
        except RecipeError:
            broken.append(config)
        else:
            good.append(config)
    if broken and not good:
        factory.check(broken[0])  # which raises what is wrong
    cubes: list[_Values] = []
    for config in broken:
        if not any(_matches(config, cube) for cube in cubes):
            cubes.append(_shortened(config, good))
    return cubes


def _shortened(config: _Values, good: Sequence[_Values]) -> _Values:
    """Leave out each value without which still nothing good matches."""
    cube = dict(config)
    for name in config:
        fewer = {other: value for other, value in cube.items() if other != name}
        if not any(_matches(other, fewer) for other in good):
            cube = fewer
    return cube


def _matches(config: _Values, cube: _Values) -> bool:
    return all(name in config and config[name] == value for name, value in cube.items())
