"""How many configs a space has, and a walk through all of them."""

import math
from collections.abc import Iterator, Mapping

from ripieno.space.activity import Activity
from ripieno.space.config import Value
from ripieno.space.domains import Domain

__all__ = ["count", "walk"]

Domains = Mapping[str, Domain]

# Stands for all values of a hyperparameter that no condition names.
_OTHER = object()


def walk(domains: Domains, activity: Activity) -> Iterator[dict[str, Value]]:
    """Yield every choice out of countable domains; the same dictionary each time.

    The first hyperparameter of ``activity.order`` changes slowest. An inactive one is absent
    and is not varied, so that no choice comes twice.
    """
    values: dict[str, Value] = {}

    def options(name: str) -> Iterator[bool]:
        """Set one hyperparameter to each of its values in turn, given those before it."""
        if not activity.holds(name, values):
            yield True
            return
        for index in range(int(domains[name].size)):
            values[name] = domains[name].nth(index)
            yield True
        del values[name]

    if not activity.order:
        yield values
    # A list of iterators, not one frame a hyperparameter: a space may have thousands.
    levels = [options(name) for name in activity.order[:1]]
    while levels:
        if not next(levels[-1], False):
            levels.pop()
        elif len(levels) == len(activity.order):
            yield values
        else:
            levels.append(options(activity.order[len(levels)]))


def count(domains: Domains, activity: Activity) -> float:
    """Return the number of choices out of the domains; infinite if one is continuous."""
    if any(math.isinf(domain.size) for domain in domains.values()):
        return math.inf
    return math.prod(_count(family, domains, activity) for family in _families(activity))


def _families(activity: Activity) -> list[list[str]]:
    """Split the names into groups whose conditions do not touch one another."""
    family_of: dict[str, list[str]] = {}
    for name in activity.order:
        merged = [name]
        for family in {id(family_of[p]): family_of[p] for p in activity.parents(name)}.values():
            merged += family
        for member in merged:
            family_of[member] = merged
    position = {name: index for index, name in enumerate(activity.order)}
    families = {id(family): family for family in family_of.values()}
    return [sorted(family, key=position.__getitem__) for family in families.values()]


def _count(family: list[str], domains: Domains, activity: Activity) -> float:
    decisive = {name: activity.decisive(name) for name in family}
    parents = [name for name in family if decisive[name]]
    leaves = [name for name in family if not decisive[name]]

    def below(depth: int, values: dict[str, object]) -> float:
        if depth == len(parents):
            return math.prod(domains[n].size for n in leaves if activity.holds(n, values))
        name = parents[depth]
        if not activity.holds(name, values):
            return below(depth + 1, values)
        named = [below(depth + 1, {**values, name: value}) for value in decisive[name]]
        others = domains[name].size - len(named)
        rest = others * below(depth + 1, {**values, name: _OTHER}) if others else 0
        return sum(named) + rest

    return below(0, {})
