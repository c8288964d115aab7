"""Search on the table of NAS-Bench-201: CIFAR-10, 15,625 cells, all trained by its authors.

A search sees the validation accuracy after 12 epochs of one cell at a time. Of the cell that is
best by it, the accuracies after 200 epochs are looked up, as means over the table's seeds. The
table is found by the environment variable RIPIENO_DATA (default ../shared/data).

Run: python benchmarks/nas201.py [--seeds 200] [--evaluations 100] [--minutes 60]
     [--searchers random …]
"""

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, circumstances, write

from ripieno.nas import cell_space, from_cell_string, path_encoding
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import make_searcher
from ripieno.space import Config

__all__ = ["PUBLISHED", "main"]

SEARCHERS = ("random", "evolution", "localsearch", "reinforce", "cmaes", "treeparzen", "bananas")
OBJECTIVE = Objective("accuracy", "maximize")
PUBLISHED = {
    "random": ("90.93 / 93.70 ± 0.36", "90.97 / 93.75 ± 0.33"),
    "evolution": ("91.19 / 93.92 ± 0.30", "91.14 / 93.91 ± 0.41"),
    "localsearch": ("-", "91.33 / 94.16 ± 0.30"),
    "reinforce": ("91.09 / 93.85 ± 0.37", "91.00 / 93.79 ± 0.27"),
    "cmaes": ("-", "-"),
    "treeparzen": ("-", "-"),
    "bananas": ("-", "-"),
}
"""Validation / test: of Dong and Yang (ICLR 2020; about 100 evaluations), and of reference
implementations on this table (100 evaluations, 300 seeds)."""


@dataclass(frozen=True, slots=True)
class Table:
    """What was measured of each cell, in percent, by config."""

    row: dict[Config, int]
    early: Any
    validation: Any
    test: Any


def read_table() -> Table:
    """Read the table.

    Raises:
        SystemExit: It is not there.
    """
    path = Path(os.environ.get("RIPIENO_DATA", "../shared/data")) / "hpo/nasbench201.npz"
    if not path.is_file():
        raise SystemExit(f"{path} is missing: set RIPIENO_DATA to the folder that holds hpo/.")
    with np.load(path) as table:
        space = cell_space()
        row = {from_cell_string(str(a), space): n for n, a in enumerate(table["arch"])}
        # Of some cells not all three seeds were trained.
        validation = np.nanmean(table["val200"][0], axis=1)
        return Table(row, table["val12"][0], validation, table["test200"][0])


def searched(name: str, table: Table, *, seed: int, evaluations: int) -> int:
    """Return the row of the cell that one search has found."""
    space = cell_space()
    searcher = make_searcher(
        name, space, seed=seed, objective=OBJECTIVE, encode=path_encoding(space)
    )
    best = -1
    for number in range(evaluations):
        (config,) = searcher.suggest(1)
        row = table.row[config]
        measured = ({"accuracy": float(table.early[row])},)
        searcher.observe([Trial(number, config, TrialStatus.PAUSED, measured)])
        if best < 0 or table.early[row] > table.early[best]:
            best = row
    return best


def measured(
    name: str, table: Table, *, seeds: int, evaluations: int, minutes: float
) -> dict[str, float]:
    """Return means and deviations over as many seeds as there is time for, in percent."""
    begun = time.perf_counter()
    rows: list[int] = []
    while len(rows) < seeds and time.perf_counter() - begun < 60.0 * minutes:
        rows.append(searched(name, table, seed=len(rows), evaluations=evaluations))
    return {
        "seeds": len(rows),
        "evaluations": evaluations,
        "validation": float(table.validation[rows].mean()),
        "validation_deviation": float(table.validation[rows].std()),
        "test": float(table.test[rows].mean()),
        "test_deviation": float(table.test[rows].std()),
        "seconds_a_search": (time.perf_counter() - begun) / len(rows),
    }


def read_found() -> dict[str, dict[str, Any]]:
    """Return what an earlier run has written: searchers that are not asked for are kept."""
    path = RESULTS / "nas201.json"
    if not path.is_file():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(path.read_text())["found"]
    return found


def main() -> None:
    """Search, print our numbers beside the published ones, and write them down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=60.0, help="a searcher at most")
    parser.add_argument("--searchers", nargs="+", default=SEARCHERS, choices=SEARCHERS)
    told = parser.parse_args()
    facts = circumstances(["ripieno", "numpy"])
    table = read_table()
    print(
        f"{len(table.row):,} cells; best test {table.test.max():.2f}; "
        f"{told.evaluations} evaluations, {told.seeds} seeds; validation / test after 200 epochs"
    )
    print(f"{'':12} {'ours':>28}   {'published':>22}   {'reference here':>22}   s a search")
    found = read_found()
    for name in told.searchers:
        one = measured(
            name, table, seeds=told.seeds, evaluations=told.evaluations, minutes=told.minutes
        )
        found[name] = {"date": facts["date"], **one}
        ours = (
            f"{one['validation']:.2f} ± {one['validation_deviation']:.2f} / "
            f"{one['test']:.2f} ± {one['test_deviation']:.2f}"
        )
        paper, reference = PUBLISHED[name]
        seconds = one["seconds_a_search"]
        print(f"{name:12} {ours:>28}   {paper:>22}   {reference:>22}   {seconds:.2f}", flush=True)
        # After each searcher: a run that is ended loses one and no more.
        path = write("nas201", {**facts, "found": found, "published": PUBLISHED})
    print(f"written to {path}")


if __name__ == "__main__":
    main()
