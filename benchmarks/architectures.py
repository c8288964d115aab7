"""Architectures: what searches find on small images, and many small supernets as one stack.

    python benchmarks/architectures.py [--parts search restarts] [--seeds 5] [--minutes 60]
    python benchmarks/architectures.py --tiny               # does it run?

``search``    Every way of searching gives a cell of NAS-Bench-201. It is built as wide as the
              parameters of the default CNN allow and trained from scratch as the CNN is, but for
              the dropout, which each has as its recipe has it. A random cell is there for
              comparison, also with the mean of each last map as its head and no dropout.
              What is told is the difference from the CNN on the same rows, with an interval.
``restarts``  Sixteen small supernets as the rows of one stack against one after another: seconds
              of a processor for the first epoch, which records the steps, and for a further one;
              and how far their numbers are apart, in float64.

Digits are scikit-learn's, in five folds: seeds 0 to 4 test every row once, and each further five
once more. ``few`` are 400 of them, other ones with each seed, and the others to test: where most
rows are to train on, nearly all are answered right by every network. Of Fashion-MNIST, each seed
has 2,000 other training rows at 14 x 14 pixels and the same 4,000 test rows; it is read from
``RIPIENO_DATA`` (default ``../shared/data``) and left out without it. Runs are kept one by one in
``results/architectures.partial.jsonl``; called again, it does what is missing. How plain DARTS
collapses is measured by ``collapse.py``.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import Cell, Task, read_cells, run_cells
from common import RESULTS, circumstances, write_compact
from scipy.stats import t as student
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split
from torch import nn

import ripieno as rp
from ripieno.nas import (
    ArchitectureFactory,
    Darts,
    Gdas,
    cell_space,
    from_cell_string,
    nas,
    search_supernet,
    search_supernets,
    to_cell_string,
)
from ripieno.recipes import Data, cnn, load

FASHION = Path(os.environ.get("RIPIENO_DATA", "../shared/data")) / "images/fashion_mnist.npz"
FOLDS = 5
PARTIAL = RESULTS / "architectures.partial.jsonl"
SUPERNET = {"batch_size": 64, "lr": 0.1, "alpha_lr": 0.05}
"""An epoch of so few rows is a dozen steps; the papers' rates are meant for thousands."""
RELAXATIONS = {"beta-DARTS": Darts(beta=1.0, warmup=0.3), "GDAS": Gdas(warmup=0.5)}
"""Untrained convolutions look worse than poolings: the weights go first."""
TRAINING = ("optimizer", "weight_decay", "batch_size", "schedule")
RATE = 0.01
"""On validation parts better for the CNN than 0.003 and 0.03, or as good."""
QUIET = {"out": ":memory:", "progress": False, "workers": 1, "ensemble": "none", "tier": "leaves"}
ROWS, FILTERS = 16, {"2 filters": 2, "4 filters": 4}
"""Of the part ``restarts``."""
METHODS = ("CNN", "beta-DARTS", "GDAS", "evolution", "random", "random, mean of maps")
EPOCHS = {"digits": 27, "few": 81, "fashion": 12}
"""Of a training from scratch."""
SEARCH_EPOCHS, TRIAL_EPOCHS = {"few": 72}, {"few": 12}
"""Of a supernet, and of a trial of evolution; three times as many as elsewhere."""
TRIALS = 10
"""Of evolution."""


def main() -> None:
    """Measure, print, draw and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=["search", "restarts"])
    parser.add_argument("--problems", nargs="+", default=list(EPOCHS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=5)
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


def all_tasks(arguments: argparse.Namespace) -> list[Task]:
    """Return what is to be measured: problem, method, seed, and epochs or rows."""
    tasks: list[Task] = []
    if "restarts" in arguments.parts:
        tasks += [(name, way, 0, ROWS) for name in FILTERS for way in ("stacked", "alone")]
        tasks.append(("equal", "both", 0, ROWS))
    if "search" in arguments.parts:
        tasks += [
            (problem, method, seed, EPOCHS[problem])
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
    cell: Cell = {"problem": problem, "method": method, "seed": seed}
    if method == "CNN":
        measured = trained("cnn", data, dict(training), epochs=epochs, seed=seed)
        return {**cell, "parameters": budget, "budget": budget, **measured}
    began = time.process_time()
    space = spaces("average" if "mean" in method else "none")
    if method in RELAXATIONS:
        # One operation an edge a step: it takes more steps until each was trained.
        batch = {"batch_size": 32} if method == "GDAS" else {}
        chosen = search_supernet(
            space(4), data, RELAXATIONS[method], seed=seed,
            epochs=SEARCH_EPOCHS.get(problem, 24) if epochs > 1 else 1, **{**SUPERNET, **batch},
        ).config  # fmt: skip
    else:
        short = TRIAL_EPOCHS.get(problem, 4)
        chosen = without_gradient(method, data, space(4), epochs=short, seed=seed)
    cell["cell"] = to_cell_string(chosen)
    cell["search_seconds"] = round(time.process_time() - began, 1)
    wide, parameters = widest(cell["cell"], data, space, budget=budget)
    cell["filters"] = wide["filters"]
    # The usual dropout of the recipe, but for the heads of before, which had none.
    own = {**wide, **usual(data), **({"dropout": 0.0} if "mean" in method else {})}
    measured = trained("nas", data, own, epochs=epochs, seed=seed)
    return {**cell, "parameters": parameters, "budget": budget, **measured}


def usual(data: Data) -> dict[str, Any]:
    """Return how a network of cells is trained: as the CNN is, with its own dropout."""
    training = cnn(data).space.default()
    own = {name: training[name] for name in TRAINING}
    return {**own, "dropout": nas(data).space.default()["dropout"]}


def spaces(global_pool: str) -> Callable[[int], rp.Space]:
    """Return what makes the space of cells of so many filters: all else is usual."""
    return lambda filters: cell_space(filters=filters, stages=2, global_pool=global_pool)


def read(problem: str, seed: int) -> Data:
    """Return a problem's data; the seed decides which rows are for what."""
    if problem in {"digits", "few"}:
        x, y = load_digits(return_X_y=True)
        x = x.reshape(-1, 8, 8).astype(np.float32)
        if problem == "few":
            rows = np.arange(len(x))
            inside, outside = train_test_split(rows, train_size=400, stratify=y, random_state=seed)
        else:
            folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed // FOLDS)
            inside, outside = list(folds.split(x, y))[seed % FOLDS]
        return Data.from_arrays(
            x[inside], y[inside], x_test=x[outside], y_test=y[outside], validation_share=0.25,
            seed=seed, name="digits",
        )  # fmt: skip
    with np.load(FASHION) as arrays:
        rows = np.random.default_rng(seed).permutation(60_000)[:2_000]
        x, y = pooled(arrays["x_train"][rows]), arrays["y_train"][rows]
        x_test, y_test = pooled(arrays["x_test"][:4_000]), arrays["y_test"][:4_000]
    return Data.from_arrays(
        x, y, x_test=x_test, y_test=y_test, validation_share=0.25, seed=seed, name="fashion"
    )


def pooled(images: np.ndarray) -> np.ndarray:
    """Return images of half the height and width: means of 4 pixels."""
    return images.reshape(len(images), 14, 2, 14, 2).mean((2, 4)).astype(np.float32)


def without_gradient(
    method: str, data: Data, space: rp.Space, *, epochs: int, seed: int
) -> rp.Config:
    """Return a random cell, or the best one that evolution finds with short trainings."""
    if method != "evolution":
        return space.sample(np.random.default_rng(seed), 1)[0]
    with rp.tune(
        "nas", data, nas(data, space).space, searcher="evolution", scheduler="full",
        fixed={**usual(data), "lr": RATE}, trials=TRIALS, epochs=epochs, seed=seed,
        **QUIET,
    ) as study:  # fmt: skip
        found = study.finish().best.config
    return space.config({n: v for n, v in found.items() if n.startswith("edge_")})


def widest(
    cell: str, data: Data, space: Callable[[int], rp.Space], *, budget: int
) -> tuple[rp.Config, int]:
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
    """Train one config from scratch, and return what it makes of the test."""
    fixed = {**{name: value for name, value in config.items() if name != "lr"}, "lr": RATE}
    searched = None if model == "cnn" else nas(data, rp.Space(**_constants(config))).space
    with rp.tune(
        model, data, searched, fixed=fixed, scheduler="full", trials=1, epochs=epochs, seed=seed,
        **QUIET,
    ) as study:  # fmt: skip
        best = study.finish().best
    return {
        "validation_log_loss": round(best.validation["log_loss"], 4),
        "log_loss": round(best.test["log_loss"], 4),
        "accuracy": round(best.test["accuracy"], 4),
    }


def _constants(config: Mapping[str, Any]) -> dict[str, rp.Constant]:
    """Return the architecture of a config as a space that holds it alone."""
    return {n: rp.Constant(v) for n, v in config.items() if n not in (*TRAINING, "dropout")}


def summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return means over the seeds by problem and method, and how far they are from the CNN."""
    found: dict[str, dict[str, dict[int, Cell]]] = {}
    for cell in cells:
        found.setdefault(cell["problem"], {}).setdefault(cell["method"], {})[cell["seed"]] = cell
    return {
        problem: {method: _told(own, methods.get("CNN", {})) for method, own in methods.items()}
        for problem, methods in found.items()
    }


def _told(own: Mapping[int, Cell], base: Mapping[int, Cell]) -> dict[str, Any]:
    """Return means and deviations over the seeds, and the mean paired differences."""
    told: dict[str, Any] = {"seeds": len(own)}
    both = sorted(own.keys() & base.keys())
    for name in ("parameters", "log_loss", "accuracy"):
        values = [cell[name] for cell in own.values()]
        told[name] = round(statistics.mean(values), 4)
        told[f"{name}_deviation"] = round(statistics.stdev(values), 4) if len(values) > 1 else None
        if name != "parameters":
            gaps = [own[seed][name] - base[seed][name] for seed in both]
            told[f"{name}_beyond_cnn"] = interval(gaps)
    return told


def interval(gaps: Sequence[float]) -> dict[str, Any]:
    """Return the mean of differences on the same rows with its 95 % interval, and the wins.

    Student's, as if the seeds were independent. Their training rows overlap, so that the
    truth may be somewhat wider.
    """
    count_ = len(gaps)
    mean = statistics.mean(gaps) if gaps else float("nan")
    if count_ < 2:
        return {"mean": round(mean, 4), "low": None, "high": None, "below": 0}
    half = float(student.ppf(0.975, count_ - 1)) * statistics.stdev(gaps) / count_**0.5
    return {
        "mean": round(mean, 4),
        "low": round(mean - half, 4),
        "high": round(mean + half, 4),
        "below": sum(gap < 0 for gap in gaps),
    }


def timed(filters: int, *, rows: int, width: int) -> dict[str, float]:
    """Return the seconds of the first epoch of all supernets, and of the second one."""
    data = load("digits", seed=0)
    ends: dict[int, list[float]] = {}
    begun = time.process_time()
    search_supernets(
        cell_space(filters=filters, stages=2), data, Darts(beta=1.0), restarts=rows, width=width,
        epochs=2, guard=None,
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
            cell_space(filters=2, stages=2), data, Darts(beta=1.0), restarts=rows, width=width,
            epochs=1, guard=None, **SUPERNET,
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


if __name__ == "__main__":
    main()
