"""How long: regret against epochs spent, on 1,000 real learning curves of each of six tasks.

The schedulers, with a random searcher and with models (BOHB is Hyperband with one), beside
Optuna's TPE with its HyperbandPruner, on taskset: 50 epochs a training, one worker. A trial of
Optuna that is pruned has spent the epochs that it ran, and no more. Everybody's best value is
the best of any epoch of any trial, as the best epoch can be kept; regret is what it is worse
than the table's best. A suggested config stands for the recorded one that is nearest to it.

    python benchmarks/multi_fidelity.py [--seeds 10] [--epochs 2000] [--jobs 2]
        [--methods asha hyperband freezethaw optuna_tpe+hyperband] [--minutes 30]

Runs are kept one by one in ``results/multi_fidelity.partial.jsonl``; called again, it does what
is missing, and writes the JSON and the picture of all that is there.
"""

import argparse
import math
import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

import numpy as np
from cells import Cell, read_cells, run_cells
from common import RESULTS, circumstances, write_compact
from drawing import quartiles
from peers import SAMPLERS, optuna_search
from plots import Curve, Panel, panels

from ripieno.searchers import searcher_names
from ripieno.testing import problem_names, read_problem, simulate

SCHEDULERS = ("full", "asha", "hyperband", "median", "freezethaw")
MODELS = ("treeparzen", "gaussianprocess", "gp")
"""Searchers that learn, where they are registered: with ``hyperband`` that is BOHB."""
PEERS = ("optuna_tpe+hyperband", "optuna_tpe+none", "optuna_random+hyperband")
RIVAL = "optuna_tpe+hyperband"
PARTIAL = RESULTS / "multi_fidelity.partial.jsonl"
MARKS = (250, 500, 1000, 2000)

Key = tuple[str, str, int]


def main() -> None:
    """Run what is missing, then write the results of all that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=2_000)
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of tasks' names")
    parser.add_argument("--methods", nargs="*", default=methods())
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=None)
    arguments = parser.parse_args()
    before = circumstances(["ripieno", "numpy", "optuna"])
    there = read_cells(RESULTS / "multi_fidelity.json", PARTIAL)
    tasks = [
        (name, method, seed, arguments.epochs)
        for seed in range(arguments.seeds)
        for name in tasks_of_taskset()
        if any(name.split("/")[1].startswith(prefix) for prefix in arguments.only)
        for method in arguments.methods
        if there.get((name, method, seed), {"epochs": 0})["epochs"] < arguments.epochs
    ]
    if tasks:
        run_cells(run_cell, tasks, path=PARTIAL, jobs=arguments.jobs, minutes=arguments.minutes)
    cells = read_cells(RESULTS / "multi_fidelity.json", PARTIAL)
    if cells:
        write_results(cells, before)


def methods() -> list[str]:
    """Return all methods: ``scheduler``, ``scheduler+searcher`` (BOHB and its like), and peers."""
    models = [name for name in MODELS if name in searcher_names()]
    with_models = [f"{s}+{m}" for s in ("hyperband", "asha", "freezethaw") for m in models]
    return [*SCHEDULERS, *with_models, *PEERS]


def tasks_of_taskset() -> list[str]:
    """Return the names of the six tasks."""
    return [name for name in problem_names() if name.startswith("taskset/")]


def run_cell(task: tuple[str, str, int, int]) -> Cell:
    """Search one task with one method and one seed, up to a number of epochs."""
    name, method, seed, epochs = task
    problem = read_problem(name)
    first, _, second = method.partition("+")
    if first in SAMPLERS:
        peer = optuna_search(problem, sampler=first, pruner=second, seed=seed, most_epochs=epochs)
        incumbents = peer.incumbents
    else:
        done = simulate(
            problem,
            scheduler=first,
            searcher=second or "random",
            seed=seed,
            most_epochs=epochs,
            keep_record=False,
        )
        incumbents = done.incumbents
    curve = [[each.epochs, float(f"{each.value:.6g}")] for each in incumbents]
    return {"problem": name, "method": method, "seed": seed, "epochs": epochs, "curve": curve}


def best_of_table(name: str) -> float:
    """Return the least loss of any config after any epoch."""
    folder = Path(os.environ.get("RIPIENO_DATA", "../shared/data"))
    with np.load(folder / "hpo" / "taskset.npz") as arrays:
        return float(np.nanmin(arrays[f"{name.removeprefix('taskset/')}__valid"][:, 1:]))


def regret_after(cell: Cell, epochs: float, best: float) -> float:
    """Return the regret of a cell after so many epochs; infinite before the first value."""
    place = bisect_right([at for at, _ in cell["curve"]], epochs) - 1
    return cell["curve"][place][1] - best if place >= 0 else math.inf


class Standings:
    """The median regret of each method on each task along the epochs.

    Args:
        cells: The runs.
    """

    def __init__(self, cells: Mapping[Key, Cell]) -> None:
        self.cells = cells
        self.best = {name: best_of_table(name) for name in tasks_of_taskset()}
        self.methods = [m for m in methods() if any(m == key[1] for key in cells)]

    def runs(self, name: str, method: str) -> list[Cell]:
        return [c for (p, m, _), c in self.cells.items() if (p, m) == (name, method)]

    def regrets(self, name: str, method: str, epochs: float) -> list[float]:
        """Return the regret of each seed after so many epochs, of runs that went that far."""
        runs = [cell for cell in self.runs(name, method) if cell["epochs"] >= epochs]
        return [regret_after(cell, epochs, self.best[name]) for cell in runs]

    def reaches(self, name: str, method: str, regret: float) -> float:
        """Return the epochs after which the median regret is at most ``regret``."""
        runs = self.runs(name, method)
        limit = min((cell["epochs"] for cell in runs), default=0)
        steps = sorted({at for cell in runs for at, _ in cell["curve"] if at <= limit})
        best = self.best[name]
        for at in steps:
            if median(regret_after(cell, at, best) for cell in runs) <= regret:
                return at
        return math.inf

    def share_of_epochs(self, method: str, mark: int) -> dict[str, float]:
        """Return the share of the rival's epochs that each task took for the same regret."""
        shares = {}
        for name in self.best:
            rival = self.regrets(name, RIVAL, mark)
            if rival and self.runs(name, method):
                at = self.reaches(name, method, median(rival))
                shares[name] = at / self.reaches(name, RIVAL, median(rival))
        return shares


def write_results(cells: Mapping[Key, Cell], before: dict[str, object]) -> None:
    """Write the JSON with all cells and the picture, and print the summary."""
    standings = Standings(cells)
    summary = {method: summarise(standings, method) for method in standings.methods}
    results = before | {
        "what": "curve: [epochs spent, best value so far]; shares are of the epochs that "
        f"{RIVAL} had spent when it reached the same median regret",
        "best_of_table": standings.best,
        "summary": summary,
    }
    path = write_compact("multi_fidelity", results, list(cells.values()))
    for method, numbers in summary.items():
        print(method, numbers)
    print(f"written to {path} and {draw(standings)}")


def summarise(standings: Standings, method: str) -> dict[str, object]:
    """Return mean log regret, shares of the rival's epochs, and tasks where it got there."""
    numbers: dict[str, object] = {}
    for mark in MARKS:
        found = [standings.regrets(name, method, mark) for name in standings.best]
        logs = [math.log10(max(median(each), 1e-6)) for each in found if each]
        if logs:
            numbers[f"log10_regret_after_{mark}"] = round(fmean(logs), 3)
    for mark in MARKS[1:]:
        shares = list(standings.share_of_epochs(method, mark).values())
        reached = [share for share in shares if math.isfinite(share)]
        if shares:
            numbers[f"share_of_epochs_at_{mark}"] = {
                "geometric_mean_where_reached": round(math.exp(fmean(map(math.log, reached))), 3)
                if reached
                else None,
                "median": round(median(shares), 3) if math.isfinite(median(shares)) else None,
                "reached": f"{len(reached)} of {len(shares)} tasks",
            }
    return numbers


def draw(standings: Standings) -> Path:
    """Draw median and quartiles of the regret along the epochs, a panel a task."""
    drawn = []
    for name in standings.best:
        curves = [curve for m in standings.methods if (curve := curve_of(standings, name, m))]
        if curves:
            drawn.append(Panel(name.removeprefix("taskset/"), curves))
    return panels(
        RESULTS / "multi_fidelity.svg",
        drawn,
        title="Regret against epochs spent",
        caption="1,000 real learning curves of 50 epochs a task; median of the seeds and quartiles",
        x_axis="epochs spent",
        y_axis="regret of the best value so far",
        log_x=True,
    )


def curve_of(standings: Standings, name: str, method: str) -> Curve | None:
    """Return the line and band of a method, or None where it has not run."""
    runs = standings.runs(name, method)
    if not runs:
        return None
    last = min(cell["epochs"] for cell in runs)
    x: Sequence[float] = [float(at) for at in np.unique(np.geomspace(25, last, 60).astype(int))]
    thirds = [quartiles(sorted(standings.regrets(name, method, at))) for at in x]
    low, middle, high = zip(*thirds, strict=True)
    return Curve(method, x, middle, low, high)


if __name__ == "__main__":
    main()
