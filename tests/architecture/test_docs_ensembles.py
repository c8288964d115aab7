"""The methods of the page on ensembles, and of the command, are those of the code."""

import re
from pathlib import Path

from ripieno.cli.tune import EnsembleName
from ripieno.ensembles import COMBINERS, methods_of

TEXT = (Path(__file__).parents[2] / "docs" / "ensembles.md").read_text()
WORDS = {"classes": "classification", "labels": "multilabel", "values": "regression"}


def test_the_table_of_methods_is_that_of_the_code():
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", TEXT, flags=re.MULTILINE)
    assert [name for name, _ in rows] == sorted(COMBINERS, key=[name for name, _ in rows].index)
    for name, told in rows:
        tasks = set(WORDS.values()) if told == "all" else {WORDS[w] for w in told.split(", ")}
        assert tasks == {task for task in WORDS.values() if name in methods_of(task)}


def test_the_command_knows_every_method_and_none():
    assert {name.value for name in EnsembleName} == {*COMBINERS, "none"}
