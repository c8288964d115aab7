"""Collapse: plain DARTS, left alone for long, and the guard that stops it.

    python benchmarks/collapse.py [--seeds 5] [--minutes 60]
    python benchmarks/collapse.py --tiny               # does it run?

A supernet of four cells of NAS-Bench-201, one behind the other, on scikit-learn's digits: deep
enough that shortcuts and poolings train fastest. Plain DARTS, and beta-DARTS beside it. Nothing
stops either; after every epoch is written down how many edges of the strongest cell are shortcuts
or absent, how many learn nothing, and the eigenvalue. Where the guard would have stopped plain
DARTS, and what it would have gone back to, is read from the same epochs, for a guard changes
nothing before it stops. Every cell is then trained from scratch at one width, and tested on a fold
that nothing else has seen. Runs are kept one by one in ``results/collapse.partial.jsonl``; called
again, it does what is missing.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from architectures import count, interval, read, trained, usual
from cells import Cell, Task, read_cells, run_cells
from common import RESULTS, circumstances, write_compact
from plots import Curve, Panel, panels

from ripieno.nas import (
    ArchitectureFactory,
    Darts,
    Guard,
    cell_space,
    from_cell_string,
    search_supernet,
    to_cell_string,
)
from ripieno.recipes import Data
from ripieno.space import Space

PARTIAL = RESULTS / "collapse.partial.jsonl"
RELAXATIONS = {"DARTS": Darts(beta=0.0), "beta-DARTS": Darts(beta=1.0, warmup=0.3)}
SUPERNET = {"batch_size": 64, "lr": 0.05, "alpha_lr": 0.02}
LEARNS = "conv"
EPOCHS, SEARCH_EPOCHS = 12, 36
SEARCH_FILTERS, FILTERS = 4, 8


def main() -> None:
    """Measure, print, draw and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=list(RELAXATIONS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--tiny", action="store_true", help="a little of everything, not kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    before = circumstances(["ripieno", "torch"])
    if arguments.tiny:
        print(run_cell(("digits", "DARTS", 0, 1, 2)))
        return
    kept = RESULTS / "collapse.json"
    there = read_cells(kept, PARTIAL)
    tasks: list[Task] = [
        ("digits", method, seed, EPOCHS, SEARCH_EPOCHS)
        for seed in range(arguments.seeds)
        for method in arguments.methods
    ]
    missing = [task for task in tasks if task[:3] not in there]
    if missing:
        run_cells(run_cell, missing, path=PARTIAL, jobs=1, minutes=arguments.minutes)
    cells = sorted(
        read_cells(kept, PARTIAL).values(),
        key=lambda c: (list(RELAXATIONS).index(c["method"]), c["seed"]),
    )
    path = write_compact("collapse", {**before, "summary": summary(cells)}, cells)
    PARTIAL.unlink(missing_ok=True)
    print(f"written to {path} and {draw(cells)}")


def run_cell(task: Task) -> Cell:
    """Search once to the end, and train what stood there, and where the guard goes back to."""
    problem, method, seed, epochs, search_epochs = task
    data, relaxation, guard = read(problem, seed), RELAXATIONS[method], Guard()
    found = search_supernet(
        space(SEARCH_FILTERS), data, relaxation, epochs=search_epochs, guard=None, seed=seed,
        **SUPERNET,
    )  # fmt: skip
    texts = [to_cell_string(epoch.config) for epoch in found.epochs]
    skips, idle = ([getattr(e, kind) for e in found.epochs] for kind in ("skips", "idle"))
    eigenvalues = [epoch.eigenvalue or 0.0 for epoch in found.epochs]
    verdicts = (
        (
            number,
            guard.judge(
                skips[:number],
                eigenvalues[:number],
                idle=idle[:number],
                edges=6,
                epochs=search_epochs,
            ),
        )
        for number in range(1, search_epochs + 1)
    )
    stopped, verdict = next((each for each in verdicts if each[1] is not None), (None, None))
    cell: Cell = {
        "problem": problem, "method": method, "seed": seed, "skips": skips,
        "idle": idle,
        "eigenvalues": [float(f"{value:.3g}") for value in eigenvalues],
        "held_loss": [round(epoch.loss, 4) for epoch in found.epochs],
        "end": measured(texts[-1], data, epochs=epochs, seed=seed),
    }  # fmt: skip
    if verdict is not None and method == "DARTS":
        back = {"epoch": stopped, "reason": verdict.reason, "back_to": verdict.epoch + 1}
        own = measured(texts[verdict.epoch], data, epochs=epochs, seed=seed)
        cell["guarded"] = {**back, **own}
    return cell


def space(filters: int) -> Space:
    """Return the cells that are searched, four of them and no stages."""
    return cell_space(filters=filters, cells=4, stages=1)


def measured(text: str, data: Data, *, epochs: int, seed: int) -> dict[str, Any]:
    """Return what a cell is worth at the width that all have here."""
    config = from_cell_string(text, space(FILTERS))
    parameters = count(ArchitectureFactory(data.shape, data.outputs)(config))
    told = trained("nas", data, {**config, **usual(data), "dropout": 0.0}, epochs=epochs, seed=seed)
    return {"cell": text, "parameters": parameters, **told}


def summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return what the ends of the searches are worth, over the seeds."""
    plain = {cell["seed"]: cell for cell in cells if cell["method"] == "DARTS"}
    beta = {cell["seed"]: cell for cell in cells if cell["method"] == "beta-DARTS"}
    ways = {
        "DARTS": {seed: cell["end"] for seed, cell in plain.items()},
        "DARTS, guarded": {seed: cell.get("guarded", cell["end"]) for seed, cell in plain.items()},
        "beta-DARTS": {seed: cell["end"] for seed, cell in beta.items()},
    }
    return {
        "stopped": f"{sum('guarded' in cell for cell in plain.values())} of {len(plain)}",
        **{name: _told(own, ways["DARTS"]) for name, own in ways.items() if own},
    }


def _told(own: Mapping[int, Cell], base: Mapping[int, Cell]) -> dict[str, Any]:
    both = sorted(own.keys() & base.keys())
    told: dict[str, Any] = {"seeds": len(own)}
    for name in ("log_loss", "accuracy", "parameters"):
        told[name] = round(statistics.mean(cell[name] for cell in own.values()), 4)
    told["idle"] = [6 - own[seed]["cell"].count(LEARNS) for seed in both]
    told["log_loss_beyond_collapsed"] = interval(
        [own[seed]["log_loss"] - base[seed]["log_loss"] for seed in both]
    )
    return told


def draw(cells: Sequence[Cell]) -> Path:
    """Draw how the searches went, epoch by epoch, and what their ends are worth."""
    drawn = []
    for kind, title in (
        ("skips", "shortcuts and absent edges of 6"),
        ("idle", "edges of 6 that learn nothing"),
        ("eigenvalues", "dominant eigenvalue"),
    ):
        curves = []
        for method in dict.fromkeys(cell["method"] for cell in cells):
            ways = torch.tensor(
                [cell[kind] for cell in cells if cell["method"] == method], dtype=torch.float64
            )
            edges = ways.mean(0), ways.amin(0), ways.amax(0)
            x = range(1, ways.shape[1] + 1)
            curves.append(Curve(method, x, *(edge.tolist() for edge in edges)))
        drawn.append(Panel(title, curves))
    return panels(
        RESULTS / "collapse.svg", drawn, title="Supernets along their epochs",
        caption="digits, nothing stops them; means over the seeds with the whole range; the "
        "alphas of beta-DARTS rest for 11 epochs",
        x_axis="epochs of the supernet", y_axis="", log_y=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
