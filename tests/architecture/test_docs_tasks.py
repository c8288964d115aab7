"""The tables of losses and metrics are those of the code."""

import re
from pathlib import Path

import pytest

from ripieno.recipes import LOSSES, METRICS, TASKS

TEXT = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()


def rows(head: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    lines = TEXT.split(head)[1].split("\n\n")
    table = next(block for block in lines if block.startswith("| ")).splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_the_table_of_losses_is_that_of_the_code():
    assert [(names(a)[0], set(b.split(", ")), names(c)) for a, b, c in rows("## Losses")] == [
        (name, set(loss.tasks), list(loss.options)) for name, loss in LOSSES.items()
    ]


@pytest.mark.parametrize("task", TASKS)
def test_the_table_of_metrics_is_that_of_the_code(task):
    (found,) = [row for row in rows("## Metrics") if row[0] == task]
    for cell, direction in zip(found[1:], ("maximize", "minimize"), strict=True):
        expected = [n for n, metric in METRICS[task].items() if metric.direction == direction]
        assert sorted(names(cell)) == sorted(expected)
    bold = set(re.findall(r"\*\*`(\w+)`\*\*", " ".join(found)))
    assert bold == set(TASKS[task].metrics)
