"""What a model costs, whatever it has learned: parameters, operations and time.

These numbers are metrics of a search like any other: they stand in each row of a trial, and
less is better. A trial of several models (folds, seeds) costs what one of them does.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ripieno.recipes.backbone import FineTuned
from ripieno.recipes.building import build_model
from ripieno.recipes.data import Data
from ripieno.recipes.feeding import as_tensor
from ripieno.recipes.keeping import alone, explain
from ripieno.recipes.recipe import Recipe
from ripieno.records import ArtifactStore, Order, Outcome, OutcomeStatus, Runner
from ripieno.space import Config

__all__ = ["COSTS", "CostRunner", "costs"]

_WARM_UP = 3
_RUNS = 25


def _parameters(module: nn.Module, _: Tensor) -> float:
    """Count the numbers that a prediction needs, those of a frozen backbone included."""
    count = sum(p.numel() for p in module.parameters())
    if isinstance(module, FineTuned) and module.frozen is not None:
        count += sum(p.numel() for p in module.frozen.module.parameters())
    return float(count)


def _flops(module: nn.Module, row: Tensor) -> float:
    """Count the operations of matrix products and convolutions for one row, as torch does."""
    with FlopCounterMode(display=False) as counter:
        module(row)
    return float(counter.get_total_flops())


def _latency_ms(module: nn.Module, row: Tensor) -> float:
    """Return the median time of a prediction of one row, in milliseconds."""
    seconds = []
    for _ in range(_WARM_UP + _RUNS):
        begin = time.perf_counter()
        module(row)
        seconds.append(time.perf_counter() - begin)
    return 1000.0 * statistics.median(seconds[_WARM_UP:])


COSTS: Mapping[str, Callable[[nn.Module, Tensor], float]] = MappingProxyType(
    {"parameters": _parameters, "flops": _flops, "latency_ms": _latency_ms}
)
"""By name: ``parameters`` (their number), ``flops`` (operations for one row) and
``latency_ms`` (median time for one row, on one thread of the CPU)."""


def costs(recipe: Recipe, data: Data, config: Config, *, names: Sequence[str]) -> dict[str, float]:
    """Return what the untrained model of a config costs, in evaluation mode.

    Args:
        recipe: How the model is built.
        data: Whose first training row is predicted.
        config: The config.
        names: Some of :data:`COSTS`.
    """
    row = as_tensor(data.train.x[:1]).to(getattr(torch, recipe.dtype))
    with alone(), torch.no_grad():
        module = build_model(recipe, config, 0, example=row).eval()
        return {name: COSTS[name](module, row) for name in names}


@dataclass(frozen=True, slots=True)
class CostRunner:
    """Carries orders out by another runner, and adds costs to every row of metrics.

    A model is measured once a process; one that cannot be is a failed trial. Costs that are
    measured in time differ from one measurement to the next: what is recorded counts.

    Args:
        runner: What trains.
        recipe: How models are built.
        data: What they are trained on.
        names: Some of :data:`COSTS`.
    """

    runner: Runner
    recipe: Recipe
    data: Data
    names: tuple[str, ...]
    _known: dict[str, Mapping[str, float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def width(self) -> int:
        """As many orders as the other runner would like."""
        return self.runner.width

    def group(self, order: Order) -> str:
        """Name the orders that gain from being run together, as the other runner does."""
        return self.runner.group(order)

    def run(
        self, orders: Sequence[Order], artifacts: ArtifactStore, stop: Callable[[], bool]
    ) -> Iterator[Outcome]:
        """Carry the orders out; see :meth:`ripieno.records.Runner.run`."""
        for outcome in self.runner.run(orders, artifacts, stop):
            yield self._with_costs(outcome) if outcome.metrics else outcome

    def _with_costs(self, outcome: Outcome) -> Outcome:
        config = outcome.order.config
        try:
            if config.digest not in self._known:
                self._known[config.digest] = costs(self.recipe, self.data, config, names=self.names)
        except Exception as error:  # noqa: BLE001 - a user's model may raise anything
            return Outcome(
                outcome.order,
                OutcomeStatus.FAILED,
                seconds=outcome.seconds,
                error=explain(error),
                notes=outcome.notes,
            )
        found = self._known[config.digest]
        return replace(outcome, metrics=tuple({**row, **found} for row in outcome.metrics))
