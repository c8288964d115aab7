"""Every example runs as it stands, and says what it promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
SAYS = {
    "own_model.py": "test accuracy",
    "architecture_search.py": "trained from scratch: test accuracy",
    "own_loop.py": "config_momentum",
    "simulated_search.py": "asha: ",
    "ensemble_of_a_search.py": "the whole",
    "own_combiner.py": "gain over",
    "own_maker.py": "Survivors(members=4, spare=4): {'accuracy'",
    "fine_tuning.py": "blocks unfrozen",
    "hypergradient.py": "found its size by itself",
    "from_grid_search_cv.py": "over three folds",
    "two_objectives.py": "the front",
}


def test_each_example_is_run_here():
    assert {path.name for path in FOLDER.glob("*.py")} == set(SAYS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs(name, tmp_path):
    assert len((FOLDER / name).read_text().splitlines()) < 80
    done = subprocess.run(
        [sys.executable, FOLDER / name],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
        capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert SAYS[name] in done.stdout
