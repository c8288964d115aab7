"""Contract suites and a simulator, for anyone who writes a part of Ripieno.

A suite is a class of tests: inherit from it, say how to make the part, and pytest does the
rest. The suites need pytest, which Ripieno itself does not install; the simulator does not.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ripieno.testing.artifacts import ArtifactStoreContract
    from ripieno.testing.cluster import Cluster
    from ripieno.testing.executors import ExecutorContract
    from ripieno.testing.learner import Learner
    from ripieno.testing.learning import LearningSearcherContract
    from ripieno.testing.ledgers import LedgerContract
    from ripieno.testing.problem import Problem
    from ripieno.testing.schedulers import SchedulerContract
    from ripieno.testing.searchers import SearcherContract
    from ripieno.testing.simulated import SimulatedExecutor
    from ripieno.testing.simulation import (
        Event,
        carry_out,
        curve,
        fate,
        orders_by_trial,
        rehearse,
    )
    from ripieno.testing.simulator import simulate
    from ripieno.testing.spaces import example_spaces, finite_spaces
    from ripieno.testing.tables import (
        curve_problem,
        problem_names,
        read_problem,
        table_problem,
    )
    from ripieno.testing.virtual import Incumbent, Simulation, simulate_cluster
    from ripieno.testing.watched import Watched

__all__ = [
    "ArtifactStoreContract",
    "Cluster",
    "Event",
    "ExecutorContract",
    "Incumbent",
    "Learner",
    "LearningSearcherContract",
    "LedgerContract",
    "Problem",
    "SchedulerContract",
    "SearcherContract",
    "SimulatedExecutor",
    "Simulation",
    "Watched",
    "carry_out",
    "curve",
    "curve_problem",
    "example_spaces",
    "fate",
    "finite_spaces",
    "orders_by_trial",
    "problem_names",
    "read_problem",
    "rehearse",
    "simulate",
    "simulate_cluster",
    "table_problem",
]

_FILES = {
    "artifacts": ("ArtifactStoreContract",),
    "cluster": ("Cluster",),
    "executors": ("ExecutorContract",),
    "learner": ("Learner",),
    "learning": ("LearningSearcherContract",),
    "ledgers": ("LedgerContract",),
    "problem": ("Problem",),
    "schedulers": ("SchedulerContract",),
    "searchers": ("SearcherContract",),
    "simulated": ("SimulatedExecutor",),
    "simulation": ("Event", "carry_out", "curve", "fate", "orders_by_trial", "rehearse"),
    "simulator": ("simulate",),
    "spaces": ("example_spaces", "finite_spaces"),
    "tables": ("curve_problem", "problem_names", "read_problem", "table_problem"),
    "virtual": ("Incumbent", "Simulation", "simulate_cluster"),
    "watched": ("Watched",),
}


def __getattr__(name: str) -> object:
    # On first use: the suite of one part need not load what another part hangs on.
    for file, names in _FILES.items():
        if name in names:
            return getattr(_load(f"ripieno.testing.{file}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _load(module: str) -> ModuleType:
    # A failed assertion of a suite then shows its values, as those of a test file do. The
    # simulator needs no pytest, so that it is not imported where it is not there.
    if module not in sys.modules and "pytest" in sys.modules:
        sys.modules["pytest"].register_assert_rewrite(module)
    return import_module(module)


def __dir__() -> list[str]:
    return __all__
