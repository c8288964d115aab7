"""Configs that differ a little from another: every neighbour of one, or a random mutation."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ripieno.records import Config
from ripieno.space import Categorical, Domain, Float, Int, Space

__all__ = ["mutate", "neighbours"]

Array = NDArray[np.float64]


def neighbours(space: Space, config: Config, *, step: float) -> Iterator[Config]:
    """Yield every config that differs in one hyperparameter, constraints not regarded.

    A choice becomes each of the others. A number goes up and down by ``step`` of its scale,
    and a number of few values at least to the next one. What becomes active with it takes its
    default. The sequence is that of the space.

    Args:
        space: Where the config is from.
        config: Its neighbours are asked for; it is none of them.
        step: In units of the scale, above 0.
    """
    middle = {name: space[name].encode(space[name].center) for name in space.searched}
    unit = _filled(space, config, np.array([middle[name] for name in space.searched]))
    for index, name in enumerate(space.searched):
        if name not in config:
            continue
        for coordinate in _moves(space[name], unit[index], step):
            moved = unit.copy()
            moved[index] = coordinate
            yield space.decode(moved)


def mutate(space: Space, config: Config, *, rng: np.random.Generator, step: float) -> Config:
    """Return a config that differs in one random hyperparameter at least.

    Each active hyperparameter changes with the probability of one among them, and one does in
    any case. A choice becomes another one, all alike; a number moves by a normal distance on
    its scale, folded back at the ends, and one of few values at least to the next one. What
    becomes active with it is drawn at random. Constraints are not regarded.

    Args:
        space: Where the config is from.
        config: The parent.
        rng: Of the draws.
        step: Standard deviation of the distance, in units of the scale.
    """
    unit = _filled(space, config, rng.random(space.dims))
    active = [index for index, name in enumerate(space.searched) if name in config]
    if not active:
        return config
    changed = rng.random(len(active)) < 1.0 / len(active)
    changed[rng.integers(len(active))] = True
    for index in np.array(active)[changed]:
        domain = space[space.searched[index]]
        if isinstance(domain, Categorical):
            others = _others(domain, unit[index])
            unit[index] = others[rng.integers(len(others))] if others else unit[index]
        else:
            distance = float(rng.normal(0.0, step))
            # Folded back at the ends, so that they are no likelier than what is between.
            folded = 1.0 - abs(1.0 - abs(unit[index] + distance) % 2.0)
            unit[index] = _at_least_next(domain, unit[index], folded, turn=True)
    return space.decode(unit)


def _filled(space: Space, config: Config, inactive: Array) -> Array:
    """Return the config's point of the unit cube, with these coordinates where inactive."""
    active = np.array([name in config for name in space.searched], np.bool_)
    return np.where(active, space.encode(config), inactive)


def _moves(domain: Domain, unit: float, step: float) -> list[float]:
    """Return where the neighbours of one coordinate are."""
    if isinstance(domain, Categorical):
        return _others(domain, unit)
    ends = (max(unit - step, 0.0), min(unit + step, 1.0))
    moved = [_at_least_next(domain, unit, end, turn=False) for end in ends]
    return [each for each in moved if domain.decode(each) != domain.decode(unit)]


def _others(domain: Categorical, unit: float) -> list[float]:
    """Return the coordinates of the other choices."""
    count = int(domain.size)
    held = min(int(unit * count), count - 1)
    return [(index + 0.5) / count for index in range(count) if index != held]


def _at_least_next(domain: Domain, unit: float, moved: float, *, turn: bool) -> float:
    """Return ``moved``; or the next value that way, where it is still the same value.

    Args:
        domain: Of a number.
        unit: Where it was.
        moved: Where it goes.
        turn: Whether it goes the other way where there is no next value.
    """
    if math.isinf(domain.size) or domain.decode(moved) != domain.decode(unit):
        return moved
    index, way = _index(domain, unit), 1 if moved > unit else -1
    if turn and not 0 <= index + way < domain.size:
        way = -way
    if not 0 <= index + way < domain.size:
        return unit
    return domain.encode(domain.nth(index + way))


def _index(domain: Domain, unit: float) -> int:
    """Return the number of a finite, numeric domain's value, ascending from 0."""
    assert isinstance(domain, Int | Float)  # noqa: S101 - a choice has no next one
    return round((domain.decode(unit) - domain.low) / (domain.step or 1))
