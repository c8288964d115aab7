"""Architectures: what searches find on small images, and many small supernets as one stack.

    python benchmarks/architectures.py [--parts search restarts] [--seeds 3] [--minutes 60]
    python benchmarks/architectures.py --tiny               # does it run?

``search``    Every way of searching gives a cell of NAS-Bench-201. It is built as wide as the
              parameters of the default CNN allow and trained from scratch as the CNN is, each
              with three learning rates of which the validation part chooses. A random cell and
              plain DARTS, with and without its guard, are there for comparison.
``restarts``  Sixteen small supernets as the rows of one stack against one after another: seconds
              of a processor for the first epoch, which records the steps, and for a further one;
              and how far their numbers are apart, in float64.

Digits are scikit-learn's; of Fashion-MNIST, 2,000 rows at 7 x 7 pixels, read from
``RIPIENO_DATA`` (default ``../shared/data``) and left out without it. Runs are kept one by
one in ``results/architectures.partial.jsonl``; called again, it does what is missing.
"""

import argparse
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import Cell, Task, read_cells, run_cells
from common import RESULTS, circumstances, write_compact
from plots import Curve, Panel, panels
from torch import nn

import ripieno as rp
from ripieno.nas import (
    ArchitectureFactory,
    Darts,
    Gdas,
    Guard,
    cell_space,
    from_cell_string,
    nas,
    search_supernet,
    search_supernets,
    to_cell_string,
)
from ripieno.recipes import Data, cnn, load

FASHION = Path(os.environ.get("RIPIENO_DATA", "../shared/data")) / "images/fashion_mnist.npz"
PARTIAL = RESULTS / "architectures.partial.jsonl"
SUPERNET = {"batch_size": 64, "lr": 0.1, "alpha_lr": 0.05}
"""An epoch of so few rows is a dozen steps; the papers' rates are meant for thousands."""
RELAXATIONS = {
    "beta-DARTS": (Darts(beta=1.0, warmup=0.3), Guard()),
    "GDAS": (Gdas(warmup=0.5), None),
    "DARTS": (Darts(beta=0.0), None),
    "DARTS, guarded": (Darts(beta=0.0), Guard()),
}
"""Untrained convolutions look worse than poolings: the weights go first, except in DARTS."""
TRAINING = ("optimizer", "weight_decay", "batch_size", "schedule")
RATES = (0.003, 0.01, 0.03)
QUIET = {"out": ":memory:", "progress": False, "workers": 1, "ensemble": "none", "tier": "leaves"}
ROWS, FILTERS = 16, {"2 filters": 2, "4 filters": 4}
"""Of the part ``restarts``."""
METHODS = ("CNN", "beta-DARTS", "GDAS", "evolution", "random", "DARTS", "DARTS, guarded")
EPOCHS, SEARCH_EPOCHS = 12, 24
"""Of a training from scratch, and of a supernet."""
TRIALS, TRIAL_EPOCHS = 8, 4
"""Of evolution."""


def main() -> None:
    """Measure, print, draw and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=["search", "restarts"])
    parser.add_argument("--problems", nargs="+", default=["digits", "fashion"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--tiny", action="store_true", help="a little of everything, not kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    before = circumstances(["ripieno", "torch"])
    if arguments.tiny:
        print(run_cell(("digits", "beta-DARTS", 0, 1)))
        print(run_cell(("4 filters", "stacked", 0, 2)), run_cell(("equal", "both", 0, 2)))
        return
    kept = RESULTS / "architectures.json"
    there = read_cells(kept, PARTIAL)
    tasks = [task for task in all_tasks(arguments) if task[:3] not in there]
    if tasks:
        run_cells(run_cell, tasks, path=PARTIAL, jobs=arguments.jobs, minutes=arguments.minutes)
    cells = list(read_cells(kept, PARTIAL).values())
    searched = sorted(
        (cell for cell in cells if cell["method"] in METHODS),
        key=lambda cell: (cell["problem"], METHODS.index(cell["method"]), cell["seed"]),
    )
    stacked = [cell for cell in cells if cell["method"] not in METHODS]
    facts = {**before, "summary": summary(searched), "restarts": ratios(stacked)}
    path = write_compact("architectures", facts, [*searched, *stacked])
    PARTIAL.unlink(missing_ok=True)
    print(f"written to {path}")
    if searched:
        print(f"and {draw(searched)}")


def all_tasks(arguments: argparse.Namespace) -> list[Task]:
    """Return what is to be measured: problem, method, seed, and epochs or rows."""
    tasks: list[Task] = []
    if "restarts" in arguments.parts:
        tasks += [(name, way, 0, ROWS) for name in FILTERS for way in ("stacked", "alone")]
        tasks.append(("equal", "both", 0, ROWS))
    if "search" in arguments.parts:
        tasks += [
            (problem, method, seed, EPOCHS)
            for problem in arguments.problems
            for seed in range(arguments.seeds)
            for method in arguments.methods
            if problem != "fashion" or FASHION.is_file()
        ]
    return tasks


def run_cell(task: Task) -> Cell:
    """Measure one thing."""
    name, way, seed, number = task
    if way == "both":
        return {"problem": name, "method": way, "seed": seed, **apart(rows=number)}
    if name in FILTERS:
        seconds = timed(FILTERS[name], rows=number, width=number if way == "stacked" else 1)
        return {"problem": name, "method": way, "seed": seed, "rows": number, **seconds}
    return searched_cell(name, way, seed=seed, epochs=number)


def searched_cell(problem: str, method: str, *, seed: int, epochs: int) -> Cell:
    """Search with one method, train what was found, and measure it."""
    data = read(problem, seed)
    recipe = cnn(data)
    training = recipe.space.default()
    budget = count(recipe.model(training))
    began = time.process_time()
    found = None
    if method in RELAXATIONS:
        relaxation, guard = RELAXATIONS[method]
        # One operation an edge a step: it takes more steps until each was trained.
        batch = {"batch_size": 32} if method == "GDAS" else {}
        found = search_supernet(
            space(), data, relaxation, epochs=SEARCH_EPOCHS if epochs > 1 else 1, guard=guard,
            seed=seed, **{**SUPERNET, **batch},
        )  # fmt: skip
    cell: Cell = {"problem": problem, "method": method, "seed": seed}
    if method == "CNN":
        parameters, measured = (
            budget,
            trained("cnn", data, dict(training), epochs=epochs, seed=seed),
        )
    else:
        chosen = found.config if found else without_gradient(method, data, seed=seed)
        cell["cell"] = to_cell_string(chosen)
        cell["search_seconds"] = round(time.process_time() - began, 1)
        wide, parameters = widest(cell["cell"], data, budget)
        cell["filters"] = wide["filters"]
        own = {**wide, **{name: training[name] for name in TRAINING}}
        measured = trained("nas", data, own, epochs=epochs, seed=seed)
    if found is not None:
        cell["skips"] = [epoch.skips for epoch in found.epochs]
        cell["eigenvalues"] = [float(f"{epoch.eigenvalue:.3g}") for epoch in found.epochs]
        cell["stopped"] = found.stopped
    return {**cell, "parameters": parameters, "budget": budget, **measured}


def space(filters: int = 4) -> rp.Space:
    """Return the cells that are searched, in a network of two stages."""
    return cell_space(filters=filters, stages=2)


def read(problem: str, seed: int) -> Data:
    """Return a problem's data; the seed decides which rows are for what."""
    if problem == "digits":
        return load("digits", seed=seed)
    with np.load(FASHION) as arrays:
        rows = np.random.default_rng(seed).permutation(60_000)[:2_000]
        x, y = pooled(arrays["x_train"][rows]), arrays["y_train"][rows]
        x_test, y_test = pooled(arrays["x_test"]), arrays["y_test"]
    return Data.from_arrays(
        x, y, x_test=x_test[:4_000], y_test=y_test[:4_000], validation_share=0.25, seed=seed,
        name="fashion",
    )  # fmt: skip


def pooled(images: np.ndarray) -> np.ndarray:
    """Return images of a quarter of the height and width: means of 16 pixels."""
    return images.reshape(len(images), 7, 4, 7, 4).mean((2, 4)).astype(np.float32)


def without_gradient(method: str, data: Data, *, seed: int) -> rp.Config:
    """Return a random cell, or the best one that evolution finds with short trainings."""
    if method == "random":
        return space().sample(np.random.default_rng(seed), 1)[0]
    training = cnn(data).space.default()
    with rp.tune(
        "nas", data, nas(data, space()).space, searcher="evolution", scheduler="full",
        fixed={**{name: training[name] for name in TRAINING}, "lr": RATES[1]}, trials=TRIALS,
        epochs=TRIAL_EPOCHS, seed=seed, **QUIET,
    ) as study:  # fmt: skip
        found = study.finish().best.config
    return space().config({n: v for n, v in found.items() if n.startswith("edge_")})


def widest(cell: str, data: Data, budget: int) -> tuple[rp.Config, int]:
    """Return the config of a cell with as many filters as the parameters allow."""
    factory = ArchitectureFactory(data.shape, data.outputs)
    best: tuple[rp.Config, int] | None = None
    for filters in range(1, 129):
        config = from_cell_string(cell, space(filters))
        parameters = count(factory(config))
        if parameters <= budget:
            best = config, parameters
    assert best is not None  # noqa: S101 - one filter always fits
    return best


def count(module: nn.Module) -> int:
    """Return how many numbers are trained."""
    return sum(parameter.numel() for parameter in module.parameters())


def trained(
    model: str, data: Data, config: Mapping[str, Any], *, epochs: int, seed: int
) -> dict[str, float]:
    """Train one config from scratch with each rate; return what the best makes of the test."""
    fixed = {name: value for name, value in config.items() if name != "lr"}
    searched = None if model == "cnn" else nas(data, space(config["filters"])).space
    with rp.tune(
        model, data, searched, fixed=fixed, enqueue=[{"lr": rate} for rate in RATES],
        scheduler="full", trials=len(RATES), epochs=epochs, seed=seed, **QUIET,
    ) as study:  # fmt: skip
        best = study.finish().best
    return {
        "lr": best.config["lr"],
        "validation_log_loss": round(best.validation["log_loss"], 4),
        "log_loss": round(best.test["log_loss"], 4),
        "accuracy": round(best.test["accuracy"], 4),
    }


def summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return means over the seeds and their standard deviations, by problem and method."""
    found: dict[str, Any] = {}
    for cell in cells:
        found.setdefault(cell["problem"], {}).setdefault(cell["method"], []).append(cell)
    return {
        problem: {method: _mean(own) for method, own in methods.items()}
        for problem, methods in found.items()
    }


def _mean(cells: Sequence[Cell]) -> dict[str, Any]:
    told: dict[str, Any] = {"seeds": len(cells)}
    for name in ("parameters", "log_loss", "accuracy"):
        values = [cell[name] for cell in cells]
        told[name] = round(statistics.mean(values), 4)
        told[f"{name}_deviation"] = round(statistics.stdev(values), 4) if len(values) > 1 else None
    return told


def timed(filters: int, *, rows: int, width: int) -> dict[str, float]:
    """Return the seconds of the first epoch of all supernets, and of the second one."""
    data = load("digits", seed=0)
    ends: dict[int, list[float]] = {}
    begun = time.process_time()
    search_supernets(
        space(filters), data, Darts(beta=1.0), restarts=rows, width=width, epochs=2, guard=None,
        report=lambda seed, _: ends.setdefault(seed, []).append(time.process_time()), **SUPERNET,
    )  # fmt: skip
    if width > 1:
        first, second = (max(end[epoch] for end in ends.values()) for epoch in (0, 1))
        return {
            "first_seconds": round(first - begun, 2),
            "further_seconds": round(second - first, 2),
        }
    further = sum(end[1] - end[0] for end in ends.values())
    whole = max(end[1] for end in ends.values()) - begun
    return {"first_seconds": round(whole - further, 2), "further_seconds": round(further, 2)}


def apart(*, rows: int) -> dict[str, float]:
    """Return how far the strengths differ at most, stacked and alone, after an epoch."""
    data = load("digits", seed=0)
    torch.set_default_dtype(torch.float64)
    both = [
        search_supernets(
            space(2), data, Darts(beta=1.0), restarts=rows, width=width, epochs=1, guard=None,
            **SUPERNET,
        )
        for width in (rows, 1)
    ]  # fmt: skip
    torch.set_default_dtype(torch.float32)
    strengths = [{own.seed: own.found.strengths["normal"] for own in found} for found in both]
    differences = [(strengths[0][n] - strengths[1][n]).abs().max() for n in range(rows)]
    return {"rows": rows, "largest_difference": max(map(float, differences))}


def ratios(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return how many times as fast a stack is: in an epoch, and in a search of fifty."""
    found: dict[str, Any] = {}
    for cell in cells:
        facts = {n: v for n, v in cell.items() if n not in {"problem", "method", "seed"}}
        found.setdefault(cell["problem"], {})[cell["method"]] = facts
    for ways in found.values():
        if {"stacked", "alone"} <= ways.keys():
            stacked, alone = ways["stacked"], ways["alone"]
            ways["times_as_fast"] = round(alone["further_seconds"] / stacked["further_seconds"], 2)
            whole = [w["first_seconds"] + 49 * w["further_seconds"] for w in (alone, stacked)]
            ways["times_as_fast_over_50_epochs"] = round(whole[0] / whole[1], 2)
    return found


def draw(cells: Sequence[Cell]) -> Path:
    """Draw how the searches by gradient went, epoch by epoch, as means over the seeds."""
    drawn = []
    for problem in dict.fromkeys(cell["problem"] for cell in cells):
        for kind, title in (("skips", "shortcuts"), ("eigenvalues", "eigenvalue")):
            curves = []
            for method in ("DARTS", "beta-DARTS", "GDAS"):
                ways = [c[kind] for c in cells if (c["problem"], c["method"]) == (problem, method)]
                if not ways:
                    continue
                length = min(map(len, ways))
                y = np.array([way[:length] for way in ways], dtype=float)
                x = range(1, length + 1)
                edges = y.mean(0), y.min(0), y.max(0)
                curves.append(Curve(method, x, *(edge.tolist() for edge in edges)))
            drawn.append(Panel(f"{problem}: {title}", curves))
    return panels(
        RESULTS / "architectures.svg", drawn, title="Supernets along their epochs",
        caption="means over the seeds, with the whole range", x_axis="epochs", y_axis="",
        log_y=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
