"""What a study is after: a metric and a direction."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ripieno.errors import SearchError

__all__ = ["Direction", "Objective", "Target"]

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric by name, and whether less or more of it is better."""

    metric: str
    direction: Direction = "minimize"

    def __post_init__(self) -> None:
        if self.direction not in {"minimize", "maximize"}:
            raise SearchError(
                f"direction = {self.direction!r} is neither 'minimize' nor 'maximize'.",
                where=f"Objective({self.metric!r})",
                fix="say direction='minimize' or direction='maximize'.",
            )

    def value(self, metrics: Mapping[str, float]) -> float:
        """Return the objective's metric out of one row of metrics.

        Raises:
            SearchError: The row does not hold the metric.
        """
        try:
            return metrics[self.metric]
        except KeyError:
            raise SearchError(
                f"the metric {self.metric!r} was not reported.",
                where=f"reported: {', '.join(metrics) or 'nothing'}",
                fix=f"report {self.metric!r}, or name a reported metric as the objective.",
            ) from None

    def is_better(self, left: float, right: float) -> bool:
        """Say whether ``left`` beats ``right``; any number beats NaN, NaN beats nothing."""
        if math.isnan(left):
            return False
        if math.isnan(right):
            return True
        return left < right if self.direction == "minimize" else left > right

    def badness(self, value: float) -> float:
        """Return a sort key: ascending from best to worst, NaN last."""
        if math.isnan(value):
            return math.inf
        return value if self.direction == "minimize" else -value


@dataclass(frozen=True, slots=True)
class Target:
    """A value of the objective at which a search is done.

    Args:
        objective: What the search is after.
        value: A trial whose metric is at least this good ends the search.
    """

    objective: Objective
    value: float

    def is_reached(self, metrics: Mapping[str, float]) -> bool:
        """Say whether one epoch's metrics are good enough; a NaN or a missing metric is not."""
        value = metrics.get(self.objective.metric, math.nan)
        return not math.isnan(value) and not self.objective.is_better(self.value, value)
