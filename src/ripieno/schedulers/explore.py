"""A config near another one: the step that population-based training calls explore.

Source: M. Jaderberg, V. Dalibard, S. Osindero, W. M. Czarnecki, J. Donahue, A. Razavi,
O. Vinyals, T. Green, I. Dunning, K. Simonyan, C. Fernando, K. Kavukcuoglu, "Population Based
Training of Neural Networks", arXiv:1711.09846, 2017, section 4.
"""

from collections.abc import Collection

import numpy as np

from ripieno.records import Config
from ripieno.space import Domain, Float, Int, Space

__all__ = ["FACTORS", "explore"]

FACTORS = (0.8, 1.2)
"""What a perturbed number is multiplied by, either with probability 1/2, as in the source."""
_TRIES = 100


def explore(
    space: Space,
    config: Config,
    *,
    changed: Collection[str],
    resample: float,
    rng: np.random.Generator,
) -> Config:
    """Return a config in which each of the ``changed`` hyperparameters is another one.

    A number is multiplied by 0.8 or 1.2 and kept inside its range (a whole number moves by
    one at least), or, with probability ``resample``, drawn anew. A choice without an order
    stays, or is drawn anew. A hyperparameter that this makes active is drawn anew.

    Args:
        space: Where the config is from.
        config: Where to start.
        changed: Names that may change; the others keep their values.
        resample: Probability in [0, 1], for each hyperparameter by itself.
        rng: Where draws come from.

    Returns:
        A config that keeps the space's constraints: the first of 100 attempts that does,
        else ``config`` itself.
    """
    for _ in range(_TRIES):
        explored = _once(space, config, changed=changed, resample=resample, rng=rng)
        if space.allows(explored):
            return explored
    return config


def _once(
    space: Space,
    config: Config,
    *,
    changed: Collection[str],
    resample: float,
    rng: np.random.Generator,
) -> Config:
    unit = space.encode(config)
    for index, name in enumerate(space.searched):
        # As many draws for each hyperparameter, whatever is active and whatever changes.
        fresh, chance, factor = rng.random(), rng.random(), FACTORS[rng.integers(2)]
        if name not in config:
            unit[index] = fresh
        elif name in changed:
            unit[index] = (
                fresh if chance < resample else _perturbed(space[name], unit[index], factor)
            )
    return space.decode(unit)


def _perturbed(domain: Domain, unit: float, factor: float) -> float:
    """Return the coordinate of a value times a factor."""
    match domain:
        case Float():
            return domain.encode(_nearest(domain, domain.decode(unit) * factor))
        case Int():
            value = domain.decode(unit)
            moved = round(abs(value) * abs(factor - 1) / domain.step)
            way = domain.step * max(1, moved) * (1 if factor > 1 else -1)
            last = domain.nth(int(domain.size) - 1)
            return domain.encode(min(max(value + way, domain.low), last))
    return unit


def _nearest(domain: Float, value: float) -> float:
    """Return the value of the domain that lies nearest."""
    if domain.step is None:
        return min(max(value, domain.low), domain.high)
    index = round((value - domain.low) / domain.step)
    return domain.nth(min(max(index, 0), int(domain.size) - 1))
