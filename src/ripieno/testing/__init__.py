"""Contract suites and a simulator, for anyone who writes a part of Ripieno.

A suite is a class of tests: inherit from it, say how to make the part, and pytest does the
rest. It needs pytest, which Ripieno itself does not install.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ripieno.testing.artifacts import ArtifactStoreContract
    from ripieno.testing.cluster import Cluster, Simulation, simulate_cluster
    from ripieno.testing.executors import ExecutorContract
    from ripieno.testing.learner import Learner
    from ripieno.testing.learning import LearningSearcherContract
    from ripieno.testing.ledgers import LedgerContract
    from ripieno.testing.schedulers import SchedulerContract
    from ripieno.testing.searchers import SearcherContract
    from ripieno.testing.simulated import SimulatedExecutor
    from ripieno.testing.simulation import (
        Event,
        carry_out,
        curve,
        fate,
        orders_by_trial,
        simulate,
    )
    from ripieno.testing.spaces import example_spaces, finite_spaces
    from ripieno.testing.watched import Watched

__all__ = [
    "ArtifactStoreContract",
    "Cluster",
    "Event",
    "ExecutorContract",
    "Learner",
    "LearningSearcherContract",
    "LedgerContract",
    "SchedulerContract",
    "SearcherContract",
    "SimulatedExecutor",
    "Simulation",
    "Watched",
    "carry_out",
    "curve",
    "example_spaces",
    "fate",
    "finite_spaces",
    "orders_by_trial",
    "simulate",
    "simulate_cluster",
]

_FILES = {
    "artifacts": ("ArtifactStoreContract",),
    "cluster": ("Cluster", "Simulation", "simulate_cluster"),
    "executors": ("ExecutorContract",),
    "learner": ("Learner",),
    "learning": ("LearningSearcherContract",),
    "ledgers": ("LedgerContract",),
    "schedulers": ("SchedulerContract",),
    "searchers": ("SearcherContract",),
    "simulated": ("SimulatedExecutor",),
    "simulation": ("Event", "carry_out", "curve", "fate", "orders_by_trial", "simulate"),
    "spaces": ("example_spaces", "finite_spaces"),
    "watched": ("Watched",),
}


def __getattr__(name: str) -> object:
    # On first use: the suite of one part need not load what another part hangs on.
    for file, names in _FILES.items():
        if name in names:
            return getattr(_load(f"ripieno.testing.{file}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _load(module: str) -> ModuleType:
    if module not in sys.modules:
        import pytest

        # A failed assertion of a suite then shows its values, as those of a test file do.
        pytest.register_assert_rewrite(module)
    return import_module(module)


def __dir__() -> list[str]:
    return __all__
