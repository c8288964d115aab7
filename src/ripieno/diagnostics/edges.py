"""Hyperparameters whose best values lie at an end of their range."""

import math
from collections.abc import Sequence

from ripieno.diagnostics.finding import Finding, number
from ripieno.records import Objective, Trial
from ripieno.space import Float, Int, Space

__all__ = ["find_edges"]

_EDGE = 0.1
_FEWEST = 10


def find_edges(trials: Sequence[Trial], objective: Objective, space: Space) -> tuple[Finding, ...]:
    """Find hyperparameters whose good values crowd at an end of their range.

    An end is crowded if at least half of the best tenth (three trials or more) lie in the
    outer tenth of the range, and so many that chance alone would crowd any end of any range
    in one study out of twenty.

    Args:
        trials: Those of a study; fewer than ten with a value say nothing. Those of an
            earlier space, which this one does not hold, are left out.
        objective: What the search was after.
        space: What was searched.
    """
    valued = _ranked([t for t in trials if space.holds(t.config)], objective)
    if len(valued) < _FEWEST:
        return ()
    top = valued[: max(3, math.ceil(len(valued) / 10))]
    # Of a short list of whole numbers an end is no edge, but one choice out of few.
    domains = {
        name: domain
        for name, domain in space.items()
        if isinstance(domain, Float | Int) and domain.size > 1 / _EDGE
    }
    found = []
    for name, domain in domains.items():
        units = [domain.encode(trial.config[name]) for trial in top if name in trial.config]
        for end, limit, outer in (
            ("lower", domain.low, sum(unit <= _EDGE for unit in units)),
            ("upper", domain.high, sum(unit >= 1 - _EDGE for unit in units)),
        ):
            if len(units) < 3 or outer < len(units) / 2:
                continue
            if _chance(outer, len(units)) < 0.05 / (2 * len(domains)):
                found.append(_edge(name, end, limit=limit, outer=outer, top=len(units)))
    return tuple(found)


def _edge(name: str, end: str, *, limit: float, outer: int, top: int) -> Finding:
    return Finding(
        "edge_of_range",
        "advice",
        f"{name} is at the {end} end of its range in {outer} of the best {top} trials: "
        f"they lie in the outer tenth, which ends at {number(limit)}.",
        {"name": name, "end": end, "limit": limit, "trials": outer, "of": top},
        "Widen the range there if it can be.",
    )


def _ranked(trials: Sequence[Trial], objective: Objective) -> list[Trial]:
    """Return the trials that have a finite value, the best one first, the earlier on a tie."""
    valued = [
        (objective.badness(trial.value(objective)), trial.id, trial)
        for trial in trials
        if objective.metric in trial.metrics and math.isfinite(trial.value(objective))
    ]
    return [trial for _, _, trial in sorted(valued, key=lambda item: item[:2])]


def _chance(successes: int, trials: int) -> float:
    """Return how likely at least so many of the trials fall into one tenth by chance."""
    from scipy.stats import binom  # where there are thousands, no float holds the counts

    return float(binom.sf(successes - 1, trials, _EDGE))
