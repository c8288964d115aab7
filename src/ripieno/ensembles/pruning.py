"""A cheaper ensemble out of a dear one."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ripieno.ensembles.combiners import GreedySelection
from ripieno.ensembles.limits import Costs, Limits
from ripieno.ensembles.rules import Rule
from ripieno.recipes import Split

if TYPE_CHECKING:
    from ripieno.ensembles.ensemble import Ensemble

__all__ = ["costs_of", "kept", "prune"]

_REPEATS = 5


def prune(
    ensemble: "Ensemble",
    on: Split | None,
    *,
    members: int | None,
    parameters: float | None,
    latency_ms: float | None,
) -> "Ensemble":
    """Return an ensemble of some of the members; see :meth:`Ensemble.prune`."""
    limits = Limits(members=members, parameters=parameters, latency_ms=latency_ms)
    example = None if latency_ms is None else _example(ensemble, on)
    costs = costs_of(list(ensemble.members), example)
    if on is not None:
        library = ensemble.predictions(on)
        found = GreedySelection(limits=limits, costs=costs).fit(library)
        return kept(ensemble, found.members, found.rule)
    places = limits.heaviest(np.array(ensemble.weights), costs)
    return kept(ensemble, places, ensemble.rule.keep(places))


def kept(ensemble: "Ensemble", members: Sequence[int], rule: Rule) -> "Ensemble":
    """Return an ensemble of some members, by their positions, under a rule of those."""
    facts = ensemble.facts
    if facts is not None:
        facts = {**facts, "members": [facts["members"][member] for member in members]}
    return ensemble.replaced(
        members=[ensemble.members[member] for member in members],
        reads=[ensemble.reads[member] for member in members],
        facts=facts,
        rule=rule,
        calibrator=None,
    )


def costs_of(members: Sequence[nn.Module], example: Tensor | None = None) -> Costs:
    """Return how many numbers each member holds and how long it takes for one row.

    Args:
        members: The members.
        example: One row, ``(1, *features)``; without it no time is measured.
    """
    numbers = [float(sum(p.numel() for p in member.parameters())) for member in members]
    if example is None:
        return Costs(numbers)
    return Costs(numbers, [_milliseconds(member, example) for member in members])


def _milliseconds(member: nn.Module, example: Tensor) -> float:
    """Return the shortest of a few times: what else the machine does only adds."""
    training = member.training
    member.eval()
    try:
        with torch.no_grad():
            member(example)
            times = []
            for _ in range(_REPEATS):
                begin = time.perf_counter()
                member(example)
                times.append(time.perf_counter() - begin)
    finally:
        member.train(training)
    return 1_000 * min(times)


def _example(ensemble: "Ensemble", on: Split | None) -> Tensor:
    if on is not None:
        return torch.from_numpy(np.array(on.x[:1], dtype=np.float32))
    return ensemble.example(rows=1)
