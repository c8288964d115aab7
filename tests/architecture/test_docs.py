"""What the documentation says about the code is what the code says."""

from pathlib import Path

import pytest

from ripieno.recipes import KNOBS

ROOT = Path(__file__).parents[2]
BENCHMARKS = sorted(
    path.name for path in (ROOT / "benchmarks").glob("*.py") if "\ndef main(" in path.read_text()
)


def test_the_table_of_knobs_is_that_of_the_code():
    lines = (ROOT / "docs" / "knobs.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert rows == [
        f"| `{name}` | `{knob.default!r}` | {knob.meaning} | {knob.allowed} |"
        for name, knob in KNOBS.items()
    ]


@pytest.mark.parametrize("script", BENCHMARKS)
def test_make_benchmarks_runs_every_script_and_the_readme_names_it(script):
    assert f"benchmarks/{script}\n" in (ROOT / "Makefile").read_text()
    assert f"`{script}`" in (ROOT / "README.md").read_text()
