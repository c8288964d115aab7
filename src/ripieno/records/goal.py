"""What a study is after where one metric is not enough: several, and limits to keep."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ripieno.errors import SearchError
from ripieno.records.objective import Objective
from ripieno.records.outcome import Metrics
from ripieno.records.trial import Trial, TrialStatus

__all__ = ["Goal", "Limit", "Merit"]

_LIMIT = re.compile(r"\s*(?P<metric>[^<>=\s]+)\s*(?P<relation>[<>]=)\s*(?P<bound>\S+)\s*")


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on a metric that a trial has to keep, such as ``latency_ms <= 5``.

    Args:
        metric: Name of a metric, one of the objectives' or another one.
        relation: ``"<="`` or ``">="``.
        bound: The last value that is allowed.

    Raises:
        SearchError: The relation is another one, or the bound is not a finite number.
    """

    metric: str
    relation: Literal["<=", ">="]
    bound: float

    def __post_init__(self) -> None:
        if self.relation not in {"<=", ">="} or not math.isfinite(self.bound):
            raise _unreadable(f"{self.metric}{self.relation}{self.bound}")

    def __str__(self) -> str:
        return f"{self.metric}{self.relation}{self.bound:g}"

    @classmethod
    def parse(cls, text: str) -> "Limit":
        """Read a limit as it is written at the command line: ``latency_ms<=5``.

        Raises:
            SearchError: The text is no limit.
        """
        found = _LIMIT.fullmatch(text)
        try:
            assert found is not None  # noqa: S101 - the same answer as a bound that is no number
            relation: Literal["<=", ">="] = "<=" if found["relation"] == "<=" else ">="
            return cls(found["metric"], relation, float(found["bound"]))
        except (AssertionError, ValueError):
            raise _unreadable(text) from None

    def excess(self, metrics: Metrics) -> float:
        """Return how far a row is beyond the limit, negative where it keeps it.

        It is counted in bounds (in ones where the bound is 0), so that those of several
        limits can be added. A value of NaN lies beyond any limit, without end.

        Raises:
            SearchError: The row does not hold the metric.
        """
        value = Objective(self.metric).value(metrics)
        if math.isnan(value):
            return math.inf
        beyond = value - self.bound if self.relation == "<=" else self.bound - value
        return beyond / (abs(self.bound) or 1.0)

    def violation(self, metrics: Metrics) -> float:
        """Return by how much a row breaks the limit, 0.0 where it keeps it.

        Raises:
            SearchError: The row does not hold the metric.
        """
        return max(self.excess(metrics), 0.0)


@dataclass(frozen=True, slots=True)
class Merit:
    """What a trial counts for when trials are ranked.

    Args:
        badness: One number an objective, ascending from best to worst.
        violation: By how much the limits are broken together; 0.0 where all are kept.
    """

    badness: tuple[float, ...]
    violation: float = 0.0

    @property
    def order(self) -> tuple[float, ...]:
        """Sort by it for the best in the first objective, of equals in the second, and so on.

        What breaks a limit comes after everything that keeps them all.
        """
        return (self.violation, *self.badness)


@dataclass(frozen=True, slots=True)
class Goal:
    """One objective or several, and the limits that a trial has to keep.

    Args:
        objectives: What is to be good; the first one decides where a single best trial is
            asked for.
        limits: A trial that breaks one is never best, and ranks after all that keep them.

    Raises:
        SearchError: There is no objective, or a metric stands twice.
    """

    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        names = self.names
        if not names or len(set(names)) != len(names):
            raise SearchError(
                "a metric stands twice." if names else "there is no metric to search by.",
                where=f"metrics: {', '.join(names) or 'none'}",
                fix="name each metric once.",
            )

    @classmethod
    def of(cls, aim: "Objective | Goal") -> "Goal":
        """Return a goal as it is, and an objective as the only one of a goal."""
        return aim if isinstance(aim, Goal) else cls((aim,))

    @property
    def first(self) -> Objective:
        """The objective that decides where there can be but one best trial."""
        return self.objectives[0]

    @property
    def is_plain(self) -> bool:
        """Whether it is one objective without limits, so that one number says it all."""
        return len(self.objectives) == 1 and not self.limits

    @property
    def names(self) -> tuple[str, ...]:
        """The objectives' metrics."""
        return tuple(objective.metric for objective in self.objectives)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that a row has to hold, each once, the objectives' first."""
        return tuple(dict.fromkeys([*self.names, *(limit.metric for limit in self.limits)]))

    def violation(self, row: Metrics) -> float:
        """Return by how much a row breaks the limits together.

        Raises:
            SearchError: The row does not hold a limit's metric.
        """
        return sum(limit.violation(row) for limit in self.limits)

    def rated(self, row: Metrics) -> Merit | None:
        """Return what a row of metrics counts for; None where an objective is NaN.

        Raises:
            SearchError: The row does not hold a metric.
        """
        values = [objective.value(row) for objective in self.objectives]
        if any(map(math.isnan, values)):
            return None
        pairs = zip(self.objectives, values, strict=True)
        badness = tuple(objective.badness(value) for objective, value in pairs)
        return Merit(badness, self.violation(row))

    def merit(self, trial: Trial) -> Merit | None:
        """Return what a trial counts for after its last epoch; None if it has no value.

        A trial that diverged or failed has none.

        Raises:
            SearchError: The last row does not hold a metric.
        """
        if not trial.history or trial.status in {TrialStatus.DIVERGED, TrialStatus.FAILED}:
            return None
        return self.rated(trial.history[-1])

    def merits(self, trials: Iterable[Trial]) -> Mapping[int, Merit]:
        """Return what those trials count for that have a value, by number.

        Trials whose last row lacks a metric have none.
        """
        measured = [t for t in trials if set(self.metrics) <= t.metrics.keys()]
        rated = {trial.id: self.merit(trial) for trial in measured}
        return {trial: merit for trial, merit in rated.items() if merit is not None}


def _unreadable(text: str) -> SearchError:
    return SearchError(
        f"{text!r} is no limit.",
        where="--require / constraints=",
        fix='write a metric, <= or >=, and a number: --require "latency_ms<=5", or '
        'constraints={"latency_ms": ("<=", 5)}.',
    )
