"""Learning rates that tune themselves, for all rows of a stack; see ``recipes.online_rate``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ripieno.population.stack import Layout, Stack
from ripieno.recipes import ONLINE, PREVIOUS, along_steps, next_rates
from ripieno.records import tuned_metrics, tuned_name

if TYPE_CHECKING:
    from ripieno.population.step import Batch, Found

__all__ = ["follow_rates", "tuned_numbers"]


def follow_rates(
    arrays: Mapping[str, Tensor],
    batch: "Batch",
    found: "Found",
    *,
    layout: Layout,
    eager: bool = True,
    slopes: Mapping[str, Tensor] | None = None,
) -> "Batch":
    """Let the rates follow, undo the steps that fell off the cliff, and keep what was before.

    Args:
        arrays: The arrays of a stack and of its statistics; changed in place.
        batch: The batch, with the rates as the schedule has them.
        found: What it says.
        layout: The stack's layout.
        eager: Whether numbers may be looked at.
        slopes: Other gradients than the batch's that the rates follow; none: they stay.

    Returns:
        The batch with the rates of this step; rows that fell are not active in it.
    """
    rule = layout.optimizer.online
    assert rule is not None  # noqa: S101 - asked for by the caller
    going = batch["active"] & arrays["statistic/alive"]
    losses = found.loss_sum.double() / found.weight_sum.double()
    numbers = {name: arrays[f"row/{name}"] for name in ONLINE}
    after, fallen = next_rates(
        rule,
        numbers,
        losses=losses,
        lr=arrays["hyper/lr"],
        scheduled=batch["rates"],
        found=_along(arrays, found if slopes is None else replace(found, gradients=slopes)),
    )
    fallen = fallen & going
    train = going & ~fallen & torch.isfinite(losses)
    for params, previous in _pairs(arrays, layout):
        if not eager or bool(fallen.any()):
            torch.where(_beside(fallen, params), previous, params, out=params)
        torch.where(_beside(train, params), params, previous, out=previous)
    for name, value in after.items():
        torch.where(train | fallen, value, numbers[name], out=numbers[name])
    edges = rule.edge(after["online_first"]) * found.weight_sum.double()
    arrays["statistic/loss_sum"].add_(torch.where(fallen, edges, 0.0))
    arrays["statistic/weight_sum"].add_(torch.where(fallen, found.weight_sum.double(), 0.0))
    arrays["statistic/steps_taken"].add_(fallen)
    return {**batch, "active": batch["active"] & ~fallen, "rates": after["online_rate"]}


def tuned_numbers(stack: Stack, row: int, *, labels: Sequence[object]) -> dict[str, float]:
    """Return what has tuned itself in a row, by the names of metrics.

    Args:
        stack: The stack.
        row: Which row.
        labels: The classes or labels of the data, for what is one number for each of them.
    """
    arrays, layout, found = stack.arrays, stack.layout, {}
    if layout.optimizer.online is not None:
        factor = float(arrays["row/online_factor"][row])
        found["learning_rate"] = float(arrays["row/online_rate"][row])
        found[tuned_name("lr")] = float(arrays["hyper/lr"][row]) * factor
    for name in layout.optimizer.tuned:
        value = arrays[f"hyper/{name}"][row]
        of_groups = layout.decays is not None and layout.decays[0] == name
        parts = layout.decays[1].names if layout.decays is not None and of_groups else labels
        found |= tuned_metrics(name, value.tolist(), parts)
    return found


def _along(arrays: Mapping[str, Tensor], found: "Found") -> tuple[Tensor, Tensor]:
    """Return how each row's gradient goes with its last step; see :func:`along_steps`."""
    names = list(found.gradients)
    if not names:
        nothing = torch.full_like(arrays["row/online_rate"], torch.nan)
        return nothing, nothing
    params = {n: arrays[f"model/{n}"] for n in names}
    previous = {n: arrays[f"optimizer/{n}/{PREVIOUS}"] for n in names}
    for name, rows in found.present.items():
        # What has no gradient in this batch says nothing of the step either.
        here = params[name]
        previous[name] = torch.where(_beside(rows, here), previous[name], here)
    return along_steps(*([each[n] for n in names] for each in (found.gradients, params, previous)))


def _pairs(arrays: Mapping[str, Tensor], layout: Layout) -> list[tuple[Tensor, Tensor]]:
    """Return parameters, each with what it was before the last step."""
    if f"flat/{PREVIOUS}" in arrays:
        return [(arrays["flat/model"], arrays[f"flat/{PREVIOUS}"])]
    return [(arrays[f"model/{n}"], arrays[f"optimizer/{n}/{PREVIOUS}"]) for n in layout.trained]


def _beside(rows: Tensor, like: Tensor) -> Tensor:
    return rows.view(-1, *[1] * (like.ndim - 1))
