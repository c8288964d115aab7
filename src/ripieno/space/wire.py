"""A space as versioned JSON: what goes into a study's ledger and comes out of a file."""

import json
from collections.abc import Mapping
from typing import Any

from ripieno.errors import SpaceError
from ripieno.space.constraints import Constraint
from ripieno.space.domains import Categorical, Constant, Domain, Float, Int

__all__ = ["VERSION", "dump", "load"]

VERSION = 1


def dump(domains: Mapping[str, Domain], constraints: tuple[Constraint, ...]) -> str:
    """Write domains and constraints as JSON."""
    return json.dumps(
        {
            "version": VERSION,
            "domains": {name: _domain_to_json(domain) for name, domain in domains.items()},
            "constraints": [
                {"description": c.description, "expression": c.expression} for c in constraints
            ],
        }
    )


def load(text: str) -> tuple[dict[str, Domain], tuple[Constraint, ...]]:
    """Read what :func:`dump` wrote.

    Raises:
        SpaceError: The text is no JSON, of an unknown version, or holds no space.
    """
    try:
        tree = json.loads(text)
        version = tree["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _unreadable(f"the text is not a space: {error!r}") from error
    if version != VERSION:
        raise _unreadable(f"the space has version {version!r}, and this Ripieno reads {VERSION}")
    try:
        domains = {str(name): _domain_from_json(item) for name, item in tree["domains"].items()}
        constraints = tuple(
            Constraint(item["expression"], str(item["description"])) for item in tree["constraints"]
        )
    except SpaceError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise _unreadable(f"the text is not a space: {error!r}") from error
    return domains, constraints


def _domain_to_json(domain: Domain) -> dict[str, Any]:
    shared = {"when": [[parent, list(values)] for parent, values in domain.conditions]}
    match domain:
        case Float() | Int():
            kind = type(domain).__name__.lower()
            fields = {n: getattr(domain, n) for n in ("low", "high", "log", "step", "default")}
            return {"kind": kind, **fields, **shared}
        case Categorical():
            choices = {"choices": list(domain.choices), "default": domain.default}
            return {"kind": "categorical", **choices, **shared}
        case Constant():
            return {"kind": "constant", "value": domain.value, **shared}
    raise SpaceError(
        f"a {type(domain).__name__} cannot be written as JSON.",
        where=repr(domain),
        fix="use Float, Int, Categorical or Constant.",
    )


def _domain_from_json(item: dict[str, Any]) -> Domain:
    fields = {name: value for name, value in item.items() if name not in {"kind", "when"}}
    domain: Float | Int | Categorical | Constant
    match item["kind"]:
        case "float":
            domain = Float(**fields)
        case "int":
            domain = Int(**fields)
        case "categorical":
            domain = Categorical(*fields["choices"], default=fields["default"])
        case "constant":
            domain = Constant(fields["value"])
        case kind:
            raise _unreadable(f"{kind!r} is no kind of domain")
    for parent, values in item["when"]:
        domain = domain.when(**{parent: tuple(values)})
    return domain


def _unreadable(problem: str) -> SpaceError:
    return SpaceError(
        f"{problem}.",
        where="Space.from_json",
        fix="pass what `space.to_json()` returned, or update Ripieno.",
    )
