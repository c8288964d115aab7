"""What an ensemble may cost, and the best selection that costs no more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.selection import own_losses
from ripieno.errors import EnsembleError

__all__ = ["Costs", "Limits"]

Select = Callable[..., NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Costs:
    """What each model of a library costs, in the library's order; empty where unknown.

    Args:
        parameters: Numbers that are stored of it.
        latency_ms: Milliseconds that it takes to answer, of whatever batch is of interest.
    """

    parameters: Sequence[float] = ()
    latency_ms: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What an ensemble may cost in all, its members one after the other; None for any cost.

    Args:
        members: Models.
        parameters: Numbers stored.
        latency_ms: Milliseconds an answer.

    Raises:
        EnsembleError: A limit is not above 0.
    """

    members: int | None = None
    parameters: float | None = None
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        for name in ("members", "parameters", "latency_ms"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise EnsembleError(
                    f"{name} = {limit} leaves no model.",
                    where="Limits",
                    fix="use a number above 0, or None for no limit.",
                )

    def select(self, library: Predictions, costs: Costs, *, select: Select) -> NDArray[np.float64]:
        """Choose weights so that all models with a weight keep within the limits together.

        Models that alone cost too much are left out first. Then the heaviest of a selection
        are taken, as long as they fit, and the weights are chosen again among those.

        Args:
            library: The models' predictions.
            costs: What each model costs.
            select: ``select(library, bags=…)`` returns weights, ``(members,)``.

        Raises:
            EnsembleError: A cost is not known for every model, or no model fits.
        """
        table, room = self._table(library.members, costs)
        if not room.size:
            return select(library)
        fitting = np.flatnonzero((table <= room[:, None]).all(axis=0))
        if not fitting.size:
            raise self._too_small(library.members)
        part = library.subset(fitting)
        kept = fit_within(select(part), own_losses(part), table[:, fitting], room=room)
        chosen = fitting[kept]
        weights = np.zeros(library.members)
        weights[chosen] = select(library.subset(chosen), bags=0)
        return weights

    def heaviest(self, weights: NDArray[np.float64], costs: Costs) -> tuple[int, ...]:
        """Return the heaviest members that keep within the limits together, in their order.

        Raises:
            EnsembleError: A cost is not known for every member, or no member fits.
        """
        table, room = self._table(len(weights), costs)
        fitting = np.flatnonzero((table <= room[:, None]).all(axis=0))
        if not fitting.size:
            raise self._too_small(len(weights))
        own = weights[fitting]
        found = fit_within(own, np.zeros(len(own)), table[:, fitting], room=room)
        return tuple(int(member) for member in fitting[found])

    def _too_small(self, models: int) -> EnsembleError:
        return EnsembleError(
            f"none of {models} models is within {self}.",
            where="Limits",
            fix="allow more, or train smaller models.",
        )

    def _table(self, members: int, costs: Costs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return costs ``(limits, members)`` and how much of each there may be."""
        known = {
            "members": [1.0] * members,
            "parameters": list(costs.parameters),
            "latency_ms": list(costs.latency_ms),
        }
        limited = [name for name in known if getattr(self, name) is not None]
        for name in limited:
            if len(known[name]) != members:
                raise EnsembleError(
                    f"{name} is limited, and the cost of {len(known[name])} of "
                    f"{members} models is known.",
                    where="GreedySelection(limits=…, costs=…)",
                    fix=f"pass Costs({name}=[…]) with one number a model.",
                )
        room = np.array([float(getattr(self, name)) for name in limited])
        return np.array([known[name] for name in limited]).reshape(len(limited), members), room


def fit_within(
    weights: NDArray[np.float64],
    losses: NDArray[np.float64],
    table: NDArray[np.float64],
    *,
    room: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Return the heaviest models that fit together, in the library's order.

    Args:
        weights: Of a selection, shape ``(members,)``.
        losses: Of each model alone; where weights are equal the better one goes first.
        table: What each costs, shape ``(limits, members)``; no model alone costs too much.
        room: How much of each cost there may be, shape ``(limits,)``.
    """
    left = room.copy()
    kept: list[int] = []
    for member in np.lexsort((losses, -weights)):
        if kept and weights[member] <= 0:
            break
        if (table[:, member] <= left).all():
            left = left - table[:, member]
            kept.append(int(member))
    return np.sort(np.array(kept, dtype=np.intp))
