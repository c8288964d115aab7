"""Domains as Optuna's distributions, and the way back."""

import warnings
from collections.abc import Sequence

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ripieno.errors import SpaceError
from ripieno.space import Categorical, Config, Domain, Float, Int, Space, Value

__all__ = ["as_distribution", "as_domain", "distributions_of", "searched_values"]


def as_distribution(domain: Domain) -> BaseDistribution:
    """Return a domain with a choice as Optuna writes it; conditions are left out.

    Raises:
        SpaceError: The domain is of a kind of its own.
    """
    match domain:
        case Float(low=low, high=high, log=log, step=step):
            with warnings.catch_warnings():
                # Of a range that the steps do not divide: both sides leave out its rest.
                warnings.simplefilter("ignore")
                return FloatDistribution(low, high, log=log, step=step)
        case Int(low=low, log=log, step=step):
            last = low + (int(domain.size) - 1) * step
            return IntDistribution(low, last, log=log, step=step)
        case Categorical(choices=choices):
            return CategoricalDistribution(choices)
    raise SpaceError(
        f"Optuna knows no {type(domain).__name__}.",
        where=repr(domain),
        fix="use Float, Int or Categorical.",
    )


def distributions_of(space: Space, config: Config) -> dict[str, BaseDistribution]:
    """Return the distributions of the hyperparameters that a config has a choice in."""
    return {name: as_distribution(space[name]) for name in space.searched if name in config}


def as_domain(name: str, distributions: Sequence[BaseDistribution]) -> Float | Int | Categorical:
    """Return the domain of a parameter that Optuna drew from these distributions.

    A range that changed from trial to trial becomes the range of all of them.

    Raises:
        SpaceError: They are of different kinds, scales or steps, or a choice cannot be stored
            in a config.
    """
    first = distributions[0]
    if isinstance(first, CategoricalDistribution) and all(d == first for d in distributions):
        return Categorical(*first.choices)
    kinds = {(type(d), getattr(d, "log", None), getattr(d, "step", None)) for d in distributions}
    if len(kinds) > 1:
        raise SpaceError(
            f"{name!r} was drawn from distributions of different kinds.",
            where="; ".join(sorted({repr(each) for each in distributions})),
            fix="pass the space: import_study(study, space=rp.Space(…)).",
        )
    if isinstance(first, FloatDistribution):
        low, high = _ends(distributions)
        return Float(low, high, log=first.log, step=first.step)
    if isinstance(first, IntDistribution):
        low, high = _ends(distributions)
        return Int(int(low), int(high), log=first.log, step=first.step)
    raise SpaceError(
        f"{name!r} was drawn from a {type(first).__name__}.",
        where=repr(first),
        fix="pass the space: import_study(study, space=rp.Space(…)).",
    )


def _ends(distributions: Sequence[BaseDistribution]) -> tuple[float, float]:
    ranges = [d for d in distributions if isinstance(d, FloatDistribution | IntDistribution)]
    return min(each.low for each in ranges), max(each.high for each in ranges)


def searched_values(space: Space, config: Config) -> dict[str, Value]:
    """Return the values of the hyperparameters that a config has a choice in."""
    return {name: config[name] for name in space.searched if name in config}
