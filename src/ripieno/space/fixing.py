"""Hyperparameters that get one value, and what becomes of those that hang on them."""

import copy
from collections.abc import Mapping, Sequence

from ripieno.errors import SpaceError
from ripieno.space.config import Config, Value
from ripieno.space.constraints import Constraint
from ripieno.space.domains import Condition, Constant, Domain, Float, Int

__all__ = ["fixed_constraints", "fixed_domains"]


def fixed_domains(
    domains: Mapping[str, Domain], values: Mapping[str, Value], *, order: Sequence[str]
) -> dict[str, Domain]:
    """Return the domains with a constant for each value, in their order, new names last.

    A constant keeps the conditions of what it stands for. What can never be active beside it
    is left out.

    Args:
        domains: Those of a space; left unchanged.
        values: One value a name.
        order: The names of the space, parents before their children.

    Raises:
        SpaceError: A value is given to a hyperparameter that can never be active.
    """
    kept: dict[str, Domain] = {}
    for name in order:
        domain = domains[name]
        reached = _reached(domain, kept)
        if reached is not None:
            value = _like(domain, values[name]) if name in values else None
            kept[name] = (
                Constant(value, conditions=reached)
                if name in values
                else _with_conditions(domain, reached)
            )
        elif name in values:
            said = " and ".join(f"{parent} in {allowed!r}" for parent, allowed in domain.conditions)
            raise SpaceError(
                f"{name!r} has no effect: it is active only for {said}.",
                where=f"Space.fix({name}={values[name]!r})",
                fix=f"leave {name!r} out, or fix what it hangs on to such a value.",
            )
    return {
        **{name: kept[name] for name in domains if name in kept},
        **{name: Constant(value) for name, value in values.items() if name not in domains},
    }


def fixed_constraints(
    constraints: Sequence[Constraint], domains: Mapping[str, Domain]
) -> tuple[Constraint, ...]:
    """Return the constraints without those that constants alone break: who fixed them knows."""
    values = {
        name: domain.value
        for name, domain in domains.items()
        if isinstance(domain, Constant) and not domain.conditions
    }
    decided = Config(values)
    return tuple(
        rule
        for rule in constraints
        if not (rule.names and rule.names <= decided.keys()) or rule.holds(decided)
    )


def _reached(domain: Domain, kept: Mapping[str, Domain]) -> tuple[Condition, ...] | None:
    """Return the conditions that can still be met, or None where one cannot."""
    conditions = []
    for parent, allowed in domain.conditions:
        if parent not in kept:
            return None
        left = tuple(value for value in allowed if _takes(kept[parent], value))
        if not left:
            return None
        conditions.append((parent, left))
    return tuple(conditions)


def _takes(domain: Domain, value: Value) -> bool:
    try:
        domain.encode(value)
    except SpaceError:
        return False
    return True


def _like(domain: Domain, value: Value) -> Value:
    """Return a number in the type that the domain's own values have."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(domain, Float):
        return float(value)
    return int(value) if isinstance(domain, Int) and int(value) == value else value


def _with_conditions(domain: Domain, conditions: tuple[Condition, ...]) -> Domain:
    twin = copy.copy(domain)
    object.__setattr__(twin, "conditions", conditions)
    return twin
