"""A small Ray cluster of several machines that are processes of this one."""

import importlib.util
from contextlib import contextmanager

import pytest

INSTALLED = importlib.util.find_spec("ray") is not None
STORE_BYTES = 100 * 2**20
_CHECKS = {
    # A machine that is gone is noticed after five seconds instead of fifteen.
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 3000,
    "health_check_failure_threshold": 5,
}


@contextmanager
def cluster():
    """A cluster of two machines with one core each, and a connection to it."""
    if not INSTALLED:
        pytest.skip("Ray is not installed (pip install 'ripieno[ray]')")
    import ray
    from ray.cluster_utils import Cluster

    size = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    head = {**size, "include_dashboard": False, "_system_config": _CHECKS}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        made.add_node(**size)
        ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
        yield made
    finally:
        ray.shutdown()
        made.shutdown()
