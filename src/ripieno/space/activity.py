"""Which hyperparameters are active, given the values of those that they hang on."""

from collections.abc import Mapping

from ripieno.errors import SpaceError
from ripieno.space.config import Value
from ripieno.space.domains import Condition, Domain

__all__ = ["Activity"]


class Activity:
    """The conditions of a space, checked and brought into a quick form.

    Args:
        domains: Names and domains of the space.

    Raises:
        SpaceError: Conditions name unknown hyperparameters, impossible values or each other
            in a circle.
    """

    __slots__ = ("_allowed", "order")

    def __init__(self, domains: Mapping[str, Domain]) -> None:
        self._allowed: dict[str, list[tuple[str, frozenset[tuple[type, Value]]]]] = {
            name: [(c[0], _allowed(name, c, domains)) for c in domain.conditions]
            for name, domain in domains.items()
        }
        self.order = self._parents_first()

    def holds(self, name: str, values: Mapping[str, object]) -> bool:
        """Say whether a hyperparameter is active, given the values of the active ones."""
        for parent, allowed in self._allowed[name]:
            if parent not in values:
                return False
            value = values[parent]
            if (type(value), value) not in allowed:
                return False
        return True

    def parents(self, name: str) -> list[str]:
        """Return the hyperparameters that this one hangs on directly."""
        return [parent for parent, _ in self._allowed[name]]

    def decisive(self, name: str) -> list[Value]:
        """Return the values of a hyperparameter that others hang on, each once."""
        named = {
            value: None
            for conditions in self._allowed.values()
            for parent, allowed in conditions
            for value in allowed
            if parent == name
        }
        return [value for _, value in named]

    def _parents_first(self) -> tuple[str, ...]:
        """Order the names so that each comes after all that it hangs on."""
        order: dict[str, None] = {}
        waiting = list(self._allowed)
        while waiting:
            ready = [name for name in waiting if all(p in order for p in self.parents(name))]
            if not ready:
                circle = ", ".join(waiting)
                raise SpaceError(
                    f"the conditions of {circle} hang on each other in a circle.",
                    where=f"Space({circle})",
                    fix="drop one `.when(…)` of the circle.",
                )
            order.update(dict.fromkeys(ready))
            waiting = [name for name in waiting if name not in order]
        return tuple(order)


def _allowed(
    name: str, condition: Condition, domains: Mapping[str, Domain]
) -> frozenset[tuple[type, Value]]:
    """Return the values of a condition as a config of the space would hold them.

    The type goes with the value, as ``True == 1`` and ``1 == 1.0``.
    """
    parent, values = condition
    if parent not in domains:
        raise SpaceError(
            f"{name!r} hangs on {parent!r}, which this space does not have.",
            where=f"{name}=….when({parent}=…)",
            fix=f"add {parent!r} to the space, or drop the condition.",
        )
    if not values:
        raise SpaceError(
            f"{name!r} hangs on {parent!r}, and no value of it is named.",
            where=f"{name}=….when({parent}=())",
            fix="name at least one value of the parent's domain in `.when(…)`.",
        )
    try:
        held = [domains[parent].decode(domains[parent].encode(value)) for value in values]
    except SpaceError as error:
        raise SpaceError(
            f"{name!r} hangs on a value that {parent!r} never takes: {error.problem}",
            where=error.where,
            fix="name values of the parent's domain in `.when(…)`.",
        ) from None
    return frozenset((type(value), value) for value in held)
