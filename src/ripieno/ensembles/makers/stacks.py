"""From a stepped stack to an ensemble."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble
from ripieno.ensembles.rules import GeometricRule, Rule, SoftRule
from ripieno.errors import EnsembleError
from ripieno.population import SteppedStack
from ripieno.recipes import Data, Split, State, as_tensor
from ripieno.space import Config

__all__ = ["fresh", "joint_ensemble", "mean_of_outputs", "rows_of", "separate_members"]

_FIX = "use a lower learning rate, or gradient_clip."


def fresh(model: Mapping[str, Any]) -> State:
    """Return a state to start from: these weights, and an optimizer that knows nothing."""
    return State(model=dict(model), optimizer={}, epoch=0)


def rows_of(part: Split) -> Tensor:
    """Return the rows of a part, which :func:`ready` has found to be at hand."""
    assert isinstance(part.x, np.ndarray)  # noqa: S101 - streams were refused
    return as_tensor(part.x)


def separate_members(stack: SteppedStack, configs: Sequence[Config], *, name: str) -> list[Member]:
    """Return the members of a stack; those that diverged are left out with a warning.

    Args:
        stack: Members that were trained independently of each other.
        configs: Theirs.
        name: What their ids begin with.

    Raises:
        EnsembleError: All of them diverged.
    """
    found = []
    for member, config in enumerate(configs):
        if stack.alive[member]:
            found.append(Member(f"{name}{member}", config, stack.state(member).model))
            continue
        said = f"member {member} diverged and is left out."
        warnings.warn(said, RuntimeWarning, stacklevel=3)
    if not found:
        raise EnsembleError(
            f"all {len(configs)} members diverged.", where="training an ensemble", fix=_FIX
        )
    return found


def joint_ensemble(
    stack: SteppedStack, configs: Sequence[Config], rule: Rule, **facts: Any
) -> Ensemble:
    """Return members that were trained together as one ensemble.

    Raises:
        EnsembleError: One of them diverged; the others were trained against it.
    """
    if not bool(stack.alive.all()):
        lost = [member for member, alive in enumerate(stack.alive.tolist()) if not alive]
        raise EnsembleError(
            f"member {lost[0]} diverged, and the others were trained beside it.",
            where="training an ensemble jointly",
            fix=_FIX,
        )
    members = [Member(f"{n}", c, stack.state(n).model) for n, c in enumerate(configs)]
    return assemble(stack.recipe, stack.data, members, rule=rule, facts=facts)


def mean_of_outputs(data: Data, members: int) -> Rule:
    """Return the rule of which the mean of the members' outputs is the answer."""
    kind = SoftRule if data.task == "regression" else GeometricRule
    return kind([1.0] * members, task=data.task)
