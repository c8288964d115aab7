"""The hyperparameters of a study: names, domains, conditions and constraints."""

import copy
import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SpaceError
from ripieno.space import enumeration, fixing, priors, wire
from ripieno.space.activity import Activity
from ripieno.space.config import Config, Value
from ripieno.space.constraints import Constraint
from ripieno.space.domains import Categorical, Constant, Domain, Float, Int

__all__ = ["Space"]

_TRIES = 10_000


class Space(Mapping[str, Domain]):
    """Names and domains of hyperparameters, immutable.

    Args:
        domains: One domain a name, in the order in which configs list them.

    Raises:
        SpaceError: A name is not an identifier, a value is not a domain, or conditions name
            unknown hyperparameters, impossible values or each other in a circle.

    Example:
        >>> space = Space(optimizer=Categorical("sgd", "adam"), lr=Float(1e-4, 1.0, log=True))
        >>> space.default()
        Config(optimizer='sgd', lr=0.01)
    """

    __slots__ = ("_activity", "_constraints", "_domains", "_favoured", "_searched")

    def __init__(self, /, **domains: Domain) -> None:
        for name, domain in domains.items():
            _check_domain(name, domain)
        self._domains: dict[str, Domain] = domains
        self._constraints: tuple[Constraint, ...] = ()
        self._activity = Activity(domains)
        self._searched = tuple(n for n, d in domains.items() if not isinstance(d, Constant))
        self._favoured = any(priors.has_prior(domain) for domain in domains.values())

    def __getitem__(self, name: str) -> Domain:
        return self._domains[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._domains)

    def __len__(self) -> int:
        return len(self._domains)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Space):
            return NotImplemented
        return self.to_json() == other.to_json() and self._constraints == other._constraints

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        return f"Space({', '.join(f'{name}={domain!r}' for name, domain in self.items())})"

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The rules that every config keeps."""
        return self._constraints

    @property
    def searched(self) -> tuple[str, ...]:
        """Names of the hyperparameters that have a choice, in the order of the unit cube."""
        return self._searched

    @property
    def dims(self) -> int:
        """The number of dimensions of the unit cube: every hyperparameter with a choice."""
        return len(self._searched)

    @property
    def size(self) -> float:
        """The number of different configs, before constraints; ``math.inf`` if any is real."""
        return enumeration.count(self._domains, self._activity)

    def where(self, rule: Callable[[Config], bool] | str, description: str = "") -> Self:
        """Return a copy in which every config also keeps ``rule``.

        Args:
            rule: A function of the config, or an expression over names such as
                ``"filters * depth <= 512"``, which travels with the space's JSON.
            description: What a message says when the rule is broken.
        """
        text = description or (rule if isinstance(rule, str) else "a constraint without a name")
        return self._with((*self._constraints, Constraint(rule, text)))

    def fix(self, values: Mapping[str, Value] | None = None, /, **named: Value) -> Self:
        """Return a copy in which hyperparameters have one value each and are not searched.

        A hyperparameter keeps its conditions, those that can no longer be active are left
        out, and names that the space does not have are added. The values may lie outside the
        domains; a constraint that they break among themselves gives way.

        Args:
            values: Names and values.
            named: More of them.

        Raises:
            SpaceError: A value is given to what can never be active, or no config is left.
        """
        given = {**(values or {}), **named}
        domains = fixing.fixed_domains(self._domains, given, order=self._activity.order)
        kept = fixing.fixed_constraints(self._constraints, domains)
        twin = type(self)(**domains)._with(kept)  # noqa: SLF001 - of our own class
        twin.default()
        return twin

    def _with(self, constraints: tuple[Constraint, ...]) -> Self:
        twin = copy.copy(self)
        twin._constraints = constraints  # noqa: SLF001 - a copy of ourselves
        return twin

    def default(self) -> Config:
        """Return the config of trial 0: every domain's default.

        Where the defaults break a constraint, the nearest of 1,000 draws of a fixed seed
        stands in, so that the answer is the same every time.
        """
        values: dict[str, Value] = {}
        for name in self._activity.order:
            if self._activity.holds(name, values):
                values[name] = self[name].center
        config = self._ordered(values)
        if self.allows(config):
            return config
        center = self.encode(config)
        draws = self.sample(np.random.default_rng(0), 1_000)
        return min(draws, key=lambda draw: float(np.abs(self.encode(draw) - center).sum()))

    def config(self, values: Mapping[str, Value] | None = None, /, **named: Value) -> Config:
        """Return the config that holds these values, in canonical form.

        Raises:
            SpaceError: A name is unknown, missing or inactive, a value is outside its
                domain, or a constraint is broken.
        """
        given = {**(values or {}), **named}
        for name in given:
            if name not in self:
                raise _unknown(name, self)
        chosen: dict[str, Value] = {}
        for name in self._activity.order:
            domain = self[name]
            if not self._activity.holds(name, chosen):
                if name in given:
                    raise SpaceError(
                        f"{name!r} is given, but its condition {_say(domain)} is not met.",
                        where=f"Space.config({name}={given[name]!r})",
                        fix=f"leave {name!r} out of this config.",
                    )
                continue
            if name not in given and not isinstance(domain, Constant):
                raise SpaceError(
                    f"{name!r} has no value.",
                    where="Space.config",
                    fix=f"add {name}={domain.center!r}, for example.",
                )
            value = given.get(name, domain.center)
            try:
                chosen[name] = domain.decode(domain.encode(value))
            except SpaceError as error:
                raise SpaceError(
                    f"{name!r}: {error.problem}", where=error.where, fix=error.fix
                ) from None
        config = self._ordered(chosen)
        broken = [c.description for c in self._constraints if not c.holds(config)]
        if broken:
            raise SpaceError(
                f"the config breaks the constraint {broken[0]!r}.",
                where=repr(config),
                fix="change a value so that the constraint holds.",
            )
        return config

    def active(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """Return the hyperparameters that are active, given the values of their parents.

        Those that hang on a hyperparameter without a value are not among them.
        """
        return tuple(name for name in self._activity.order if self._activity.holds(name, values))

    def allows(self, config: Config) -> bool:
        """Say whether every constraint of the space holds for the config."""
        return all(constraint.holds(config) for constraint in self._constraints)

    def sample(self, rng: np.random.Generator, count: int) -> list[Config]:
        """Draw configs among those allowed: uniform on the scales of their domains.

        Where a domain has a ``confidence``, they are drawn as its prior says.

        Raises:
            SpaceError: Hardly any config keeps the constraints.
        """
        return [self._draw(rng) for _ in range(count)]

    def _draw(self, rng: np.random.Generator) -> Config:
        for _ in range(_TRIES):
            config = self.decode(self.favour(rng.random(self.dims)))
            if self.allows(config):
                return config
        raise SpaceError(
            f"none of {_TRIES:,} random configs keeps all constraints.",
            where="; ".join(c.description for c in self._constraints),
            fix="loosen a constraint, or narrow the domains to where it holds.",
        )

    def favour(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map a point that is uniform in the unit cube to one that is drawn as the priors say.

        Args:
            unit: Shape ``(dims,)``; returned as it is by a space without priors.
        """
        if not self._favoured:
            return unit
        pairs = zip(self._searched, unit.tolist(), strict=True)
        return np.array([priors.quantile(self[name], share) for name, share in pairs])

    def holds(self, config: Mapping[str, Value]) -> bool:
        """Say whether each value lies in a domain of this space; nothing else is looked at."""
        for name, value in config.items():
            try:
                self[name].encode(value)
            except (KeyError, SpaceError):
                return False
        return True

    def adopt(self, config: Mapping[str, Value]) -> Config | None:
        """Return what a config of another space is in this one; None where it is nothing here.

        Values that this space has too are kept, and must lie in their domains: a value is
        never moved to the nearest one, because what was measured is not true of that. What
        this space does not have, or has not active, is dropped. What it has besides takes
        its default; a ``Float`` or ``Int`` without ``default=`` has none to take.
        """
        values: dict[str, Value] = {}
        for name in self._activity.order:
            if not self._activity.holds(name, values):
                continue
            domain = self[name]
            if name not in config and not _has_default(domain):
                return None
            try:
                value = config.get(name, domain.center)
                values[name] = domain.decode(domain.encode(value))
            except SpaceError:
                return None
        adopted = self._ordered(values)
        return adopted if self.allows(adopted) else None

    def encode(self, config: Config) -> NDArray[np.float64]:
        """Map a config to the unit cube, shape ``(dims,)``; 0.5 where inactive."""
        unit = np.full(self.dims, 0.5)
        for index, name in enumerate(self._searched):
            if name in config:
                unit[index] = self[name].encode(config[name])
        return unit

    def decode(self, unit: NDArray[np.float64]) -> Config:
        """Map a point of the unit cube, shape ``(dims,)``, to a config.

        The coordinates of inactive hyperparameters are not read, and constraints are not
        checked: see :meth:`allows`.
        """
        coordinates = dict(zip(self._searched, unit.tolist(), strict=True))
        values: dict[str, Value] = {}
        for name in self._activity.order:
            if self._activity.holds(name, values):
                values[name] = self[name].decode(coordinates.get(name, 0.5))
        return self._ordered(values)

    def to_json(self) -> str:
        """Return the space as versioned JSON; functions in constraints become their text."""
        return wire.dump(self._domains, self._constraints)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a space that :meth:`to_json` wrote.

        Raises:
            SpaceError: The text is no JSON, of an unknown version, or holds no space.
        """
        domains, constraints = wire.load(text)
        return cls(**domains)._with(constraints)  # noqa: SLF001 - of our own class

    def _ordered(self, values: Mapping[str, Value]) -> Config:
        return Config({name: values[name] for name in self if name in values})

    def grid(self) -> Iterator[Config]:
        """Yield every config of a finite space that the constraints allow, lazily.

        The first hyperparameter changes slowest and the last one fastest, parents before
        their children; values ascend, choices come in their order. A hyperparameter is
        varied only where it is active, so that no config comes twice.

        Raises:
            SpaceError: A hyperparameter is continuous.
        """
        for name, domain in self.items():
            if math.isinf(domain.size):
                raise SpaceError(
                    f"{name!r} is continuous, and a grid over it has no end.",
                    where=f"{name}={domain!r}",
                    fix=f"give it steps ({name}=Float(…, step=…)) or choices "
                    f"({name}=Categorical(…)), or use the random or sobol searcher.",
                )
        configs = map(self._ordered, enumeration.walk(self._domains, self._activity))
        return filter(self.allows, configs)


def _has_default(domain: Domain) -> bool:
    match domain:
        case Float(default=default) | Int(default=default):
            return default is not None
        case Categorical() | Constant():
            return True
    return False


def _say(domain: Domain) -> str:
    return " and ".join(
        f"{parent} in {{{', '.join(map(repr, values))}}}" for parent, values in domain.conditions
    )


def _unknown(name: str, space: Mapping[str, Any]) -> SpaceError:
    close = difflib.get_close_matches(name, space, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "use one of the names above."
    return SpaceError(
        f"{name!r} is no hyperparameter of this space.",
        where=f"Space({', '.join(space)})",
        fix=hint,
    )


def _check_domain(name: str, domain: object) -> None:
    if not name.isidentifier():
        raise SpaceError(
            f"{name!r} cannot be read as an attribute of a config.",
            where=f"Space(**{{{name!r}: …}})",
            fix="use letters, digits and underscores.",
        )
    if not isinstance(domain, Domain):
        raise SpaceError(
            f"{name!r} is {domain!r}, which is no domain.",
            where=f"Space({name}={domain!r})",
            fix=f"write {name}=Constant({domain!r}), or a Float, Int or Categorical.",
        )
