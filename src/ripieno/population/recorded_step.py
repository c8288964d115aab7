"""A training step whose forward, loss and gradient are one flat graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ripieno.population.graphs import Graph
from ripieno.population.recording import recorded
from ripieno.population.step import Batch, Found

__all__ = ["RecordedStep"]

_READ = ("model/", "hyper/", "number/", "statistic/alive")

Find = Callable[[Mapping[str, Tensor], Batch], Found]
"""What a batch says, as a function of the arrays of a stack, which it leaves unchanged."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedStep:
    """What batches of one shape say, as one graph that gives the numbers of what was recorded.

    Args:
        graph: Forward, loss and gradient.
        gradients: Names of the parameters that have a gradient.
        buffers: Names of the buffers.
    """

    graph: Graph
    gradients: tuple[str, ...]
    buffers: tuple[str, ...]

    @classmethod
    def of(
        cls, find: Find, arrays: Mapping[str, Tensor], batch: Batch, *, module: nn.Module
    ) -> "RecordedStep":
        """Record what a batch says, for the cost of one; the arrays are left unchanged.

        Args:
            find: What is recorded.
            arrays: The arrays of a stack.
            batch: A batch.
            module: The module that it runs.

        Raises:
            UnsteadyError: Another call may take another way.
            Exception: Whatever the forward raises.
        """
        names: list[tuple[str, ...]] = []

        def flat(arrays: Mapping[str, Tensor], batch: Batch) -> list[Tensor]:
            found = find(arrays, batch)
            names[:] = [tuple(found.gradients), tuple(found.buffers)]
            return [
                found.loss_sum,
                found.weight_sum,
                *found.gradients.values(),
                *found.buffers.values(),
            ]

        read = {name: array for name, array in arrays.items() if name.startswith(_READ)}
        return cls(recorded(flat, read, batch, module=module), *names)

    def find(self, arrays: Mapping[str, Tensor], batch: Batch) -> Found:
        """Return what a batch says."""
        loss_sum, weight_sum, *rest = self.graph(arrays, batch)
        count = len(self.gradients)
        return Found(
            loss_sum=loss_sum,
            weight_sum=weight_sum,
            gradients=dict(zip(self.gradients, rest[:count], strict=True)),
            buffers=dict(zip(self.buffers, rest[count:], strict=True)),
            present={},
        )
