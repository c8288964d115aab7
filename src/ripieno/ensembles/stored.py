"""What is kept of an ensemble beside its tensors, as plain JSON-able values."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ripieno.errors import EnsembleError
from ripieno.space import Config

__all__ = ["Label", "Stored", "plain_classes", "plain_facts"]

Label = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of an ensemble beside the tensors of its members.

    Args:
        weights: One a member.
        classes: Names of the classes.
        preprocesses: Each preprocessing as JSON; none where the members read raw rows.
        reads: The number of each member's preprocessing.
        facts: What the members are built again from.
        codings: What the members' outputs mean: one of all, or one a preprocessing.
        rule: Name and options of the rule; None for a soft vote with the weights.
        calibrator: Name and options of the calibrator, if there is one.
    """

    weights: tuple[float, ...]
    classes: tuple[Label, ...]
    preprocesses: tuple[str, ...]
    reads: tuple[int, ...]
    facts: dict[str, Any]
    codings: tuple[dict[str, Any], ...]
    rule: dict[str, Any] | None = None
    calibrator: dict[str, Any] | None = None


def plain_classes(classes: Sequence[Any], *, fewest: int = 2) -> tuple[Label, ...]:
    """Return class names as plain Python values.

    Raises:
        EnsembleError: There are fewer than two, one stands twice, or one is not plain.
    """
    names = tuple(name.item() if hasattr(name, "item") else name for name in classes)
    if not all(isinstance(name, Label) for name in names):
        problem = f"the class {next(n for n in names if not isinstance(n, Label))!r} is no name."
    elif len(names) < fewest or len(set(names)) != len(names):
        least = "two" if fewest > 1 else "one"
        problem = f"the classes {names[:8]!r} are not {least} or more different ones."
    else:
        return names
    raise EnsembleError(
        problem,
        where="Ensemble(…, classes=…)",
        fix="name each class once, with a string, a number or a boolean.",
    )


def plain_facts(facts: Mapping[str, Any], members: int) -> dict[str, Any]:
    """Return a copy of the facts that is sure to travel through JSON.

    Raises:
        EnsembleError: They are not JSON-able, or lack what a rebuilding needs.
    """
    try:
        plain: dict[str, Any] = json.loads(json.dumps(facts, allow_nan=False))
        shape = [int(axis) for axis in plain["input_shape"]]
        parts = [_checked(part) for part in plain["members"]]
    except (TypeError, ValueError, KeyError, RecursionError, AttributeError) as error:
        raise _incomplete(f"the facts cannot be used: {error!r}") from error
    if len(parts) != members:
        raise _incomplete(f"the facts tell of {len(parts)} members, and there are {members}")
    return {**plain, "input_shape": shape}


def _checked(part: Mapping[str, Any]) -> Config:
    """Return the config of a member of which all is there that a rebuilding needs."""
    identity, recipe = part["id"], part["recipe"]
    if not isinstance(identity, str | int) or not isinstance(recipe, str):
        raise TypeError(f"{identity!r} or {recipe!r} is no name")
    return Config(part["config"])


def _incomplete(problem: str) -> EnsembleError:
    return EnsembleError(
        f"{problem}.",
        where="Ensemble(…, facts=…)",
        fix="pass {'input_shape': […], 'members': [{'id', 'recipe', 'config'}, …]} with one "
        "entry a member, of JSON-able values.",
    )
