"""What the documentation says about the code is what the code says."""

from pathlib import Path

from ripieno.recipes import KNOBS

ROOT = Path(__file__).parents[2]


def test_the_table_of_knobs_is_that_of_the_code():
    lines = (ROOT / "docs" / "knobs.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert rows == [
        f"| `{name}` | `{knob.default!r}` | {knob.meaning} | {knob.allowed} |"
        for name, knob in KNOBS.items()
    ]
