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
        constraints = tuple(_constraint_from_json(item) for item in tree["constraints"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, SpaceError):
            raise
        raise _unreadable(f"the text is not a space: {error!r}") from error
    return domains, constraints


def _domain_to_json(domain: Domain) -> dict[str, Any]:
    shared = {"when": [[parent, list(values)] for parent, values in domain.conditions]}
    match domain:
        case Float() | Int():
            kind = type(domain).__name__.lower()
            fields = {n: getattr(domain, n) for n in ("low", "high", "log", "step", "default")}
            return {"kind": kind, **fields, **_prior(domain), **shared}
        case Categorical():
            choices = {"choices": list(domain.choices), "default": domain.default}
            return {"kind": "categorical", **choices, **_prior(domain), **shared}
        case Constant():
            return {"kind": "constant", "value": domain.value, **shared}
    raise SpaceError(
        f"a {type(domain).__name__} cannot be written as JSON.",
        where=repr(domain),
        fix="use Float, Int, Categorical or Constant.",
    )


def _domain_from_json(item: dict[str, Any]) -> Domain:
    domain: Float | Int | Categorical | Constant
    match item["kind"]:
        case "float" | "int" as kind:
            make = Float if kind == "float" else Int
            scale = {name: item[name] for name in ("log", "step", "default")}
            domain = make(item["low"], item["high"], confidence=item.get("confidence"), **scale)
        case "categorical":
            domain = Categorical(
                *_list(item["choices"]),
                default=item["default"],
                confidence=item.get("confidence"),
            )
        case "constant":
            domain = Constant(item["value"])
        case kind:
            raise _unreadable(f"{kind!r} is no kind of domain")
    for parent, values in _list(item["when"]):
        domain = domain.when(**{parent: _list(values)})
    return domain


def _prior(domain: Float | Int | Categorical) -> dict[str, Any]:
    # Left out where there is none, so that a space without priors reads as it ever did.
    return {} if domain.confidence is None else {"confidence": domain.confidence}


def _constraint_from_json(item: dict[str, Any]) -> Constraint:
    expression, description = item["expression"], item["description"]
    if not isinstance(expression, str | None) or not isinstance(description, str):
        raise _unreadable(f"{item!r} is no constraint")
    return Constraint(expression, description)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise _unreadable(f"{value!r} is no list")
    return value


def _unreadable(problem: str) -> SpaceError:
    return SpaceError(
        f"{problem}.",
        where="Space.from_json",
        fix="pass what `space.to_json()` returned, or update Ripieno.",
    )
