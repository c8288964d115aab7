"""Tests on a pretended device (``tests/pretend.py``): ``RIPIENO_PRETEND=1 pytest tests/pretended``.

Torch must know a device before the first gradient is taken in a process, and knows it until the
end, so they have a process of their own; ``tests/numeric/test_pretended.py`` starts it.
"""

import os

import pytest

import pretend

collect_ignore_glob = [] if os.environ.get("RIPIENO_PRETEND") else ["test_*.py"]


@pytest.fixture
def device():
    """A second device, by its name."""
    with pretend.device() as name:
        yield name
