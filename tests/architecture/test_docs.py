"""What the documentation says about the code is what the code says."""

from pathlib import Path

import pytest

from ripieno.diagnostics import KINDS
from ripieno.recipes import ARCHITECTURE, KNOBS

ROOT = Path(__file__).parents[2]
BENCHMARKS = sorted(
    path.name for path in (ROOT / "benchmarks").glob("*.py") if "\ndef main(" in path.read_text()
)


def rows_of(name: str) -> list[str]:
    lines = (ROOT / "docs" / name).read_text().splitlines()
    return [line for line in lines if line.startswith("| `")]


def test_the_table_of_knobs_is_that_of_the_code():
    assert rows_of("knobs.md") == [
        f"| `{name}` | `{knob.default!r}` | {knob.meaning} | {knob.allowed} |"
        for name, knob in KNOBS.items()
    ]


def test_the_table_of_architectures_is_that_of_the_code():
    expected = []
    for name, setting in ARCHITECTURE.items():
        cells = [
            f"`{setting.recipes[recipe]!r}`{'*' if recipe in setting.layered else ''}"
            if recipe in setting.recipes
            else ""
            for recipe in ("cnn", "mlp", "resnet")
        ]
        knob = setting.knob
        expected.append(f"| `{name}` | {' | '.join(cells)} | {knob.meaning} | {knob.allowed} |")
    assert rows_of("architecture.md") == expected


@pytest.mark.parametrize("script", BENCHMARKS)
def test_make_benchmarks_runs_every_script_and_the_readme_names_it(script):
    assert f"benchmarks/{script}\n" in (ROOT / "Makefile").read_text()
    assert f"`{script}`" in (ROOT / "README.md").read_text()


def test_the_table_of_findings_is_that_of_the_code():
    lines = (ROOT / "docs" / "doctor.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert rows == [f"| `{kind}` | {meaning} |" for kind, meaning in KINDS.items()]
