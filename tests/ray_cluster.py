"""A small Ray cluster of several machines that are processes of this one."""

import importlib.util
from contextlib import contextmanager

import pytest

INSTALLED = importlib.util.find_spec("ray") is not None
STORE_BYTES = 100 * 2**20


@contextmanager
def cluster(machines=2, cores=1):
    """A cluster of machines with so many cores each, and a connection to it."""
    if not INSTALLED:
        pytest.skip("Ray is not installed (pip install 'ripieno[ray]')")
    import ray
    from ray.cluster_utils import Cluster

    size = {"num_cpus": cores, "object_store_memory": STORE_BYTES}
    made = Cluster(initialize_head=True, head_node_args={**size, "include_dashboard": False})
    try:
        for _ in range(machines - 1):
            made.add_node(**size)
        ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
        yield made
    finally:
        ray.shutdown()
        made.shutdown()
