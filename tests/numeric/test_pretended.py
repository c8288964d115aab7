"""Starts the tests of ``tests/pretended`` in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path.name for path in (ROOT / "tests" / "pretended").glob("test_*.py"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", FILES)
def test_a_second_device_gives_the_numbers_of_the_cpu(name):
    ended = subprocess.run(
        [
            sys.executable, "-m", "pytest", f"tests/pretended/{name}", "-q", "-x",
            "-p", "no:cacheprovider", "-p", "no:xdist",
        ],
        cwd=ROOT,
        env={**os.environ, "RIPIENO_PRETEND": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
    assert "skipped" not in ended.stdout
