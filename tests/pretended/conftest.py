"""Tests on a pretended device (``tests/pretend.py``): ``RIPIENO_PRETEND=1 pytest tests/pretended``.

Torch must know a device before the first gradient is taken in a process, and knows it until the
end, so they have a process of their own; ``tests/numeric/test_pretended.py`` starts it.
"""

import os
from pathlib import Path

import pytest

import pretend


def pytest_collection_modifyitems(items):
    if os.environ.get("RIPIENO_PRETEND"):
        return
    alone = pytest.mark.skip(reason="needs a process of its own: tests/numeric/test_pretended.py")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(alone)


@pytest.fixture
def device():
    """A second device, by its name."""
    with pretend.device() as name:
        yield name
