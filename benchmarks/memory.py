"""Memory of a population: what the runner reckons with, and what happens when it is short.

Run: python benchmarks/memory.py        (about a minute)

For each shape of benchmarks/stacks.py: the bytes that a row takes as the runner counts them
when it chooses a width (the tensors of a step at one row and at two, and two copies of what a
row keeps), beside the peak of a process that takes traced steps of all rows. Then a search
whose rows need about 2 GB, in a process that may have 1.5 GiB: with a given width, which does
not fit and is halved on the way, and with the width that is measured before.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from common import circumstances, write
from stacks import MIB, SHAPES, Worker, make

LIMIT = 3 * 2**29
LIMITED_ROWS = 32


def counted(name: str) -> dict[str, float]:
    """Return the MiB of a row and of a step besides, as the runner counts them."""
    import numpy as np
    import torch

    from ripieno.population.group import Group
    from ripieno.population.trials import rows_of
    from ripieno.recipes import Data, Recipe, complete
    from ripieno.records import Config, Order

    torch.set_num_threads(1)
    shape = SHAPES[name]
    images = np.random.default_rng(0).normal(size=(400, shape.side, shape.side))
    data = Data.from_arrays(images, np.arange(400) % 10)
    config = Config({"optimizer": "sgd", "momentum": 0.9, "batch_size": shape.batch})
    rows = rows_of(Order(0, config, 0, 1), study_seed=0, folds=1, seeds=1)
    recipe = complete(Recipe(model=lambda _: make(shape)), data)
    probe = Group(recipe, data, rows, tier="leaves", engines={}, name=name).probe()
    each, base = probe.bytes() or (0, 0)
    return {"counted_a_row": round(each / MIB, 3), "counted_besides": round(base / MIB, 3)}


def peak(name: str) -> dict[str, Any]:
    """Return what a process needs for traced steps of all rows of a shape, in MiB."""
    return Worker(SHAPES[name], SHAPES[name].rows).memory("traced")


def limited(width: Any) -> dict[str, Any]:
    """Train rows that need more memory than there is, and return how it went."""
    import resource

    import numpy as np
    import torch
    from torch import nn

    from ripieno.ledger import MemoryArtifacts
    from ripieno.population import PopulationRunner
    from ripieno.recipes import Data, Recipe
    from ripieno.records import Config, Order

    torch.set_num_threads(1)
    x = np.random.default_rng(0).normal(size=(40, 64))
    data = Data.from_arrays(x, (x[:, 0] > 0).astype(int))
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    recipe = Recipe(
        model=lambda _: nn.Sequential(
            nn.Linear(64, 1000), nn.ReLU(), nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 2)
        )
    )
    runner = PopulationRunner(recipe, data, tier="leaves", width=width)
    orders = [Order(trial, Config({"lr": 0.01}), 0, 1) for trial in range(LIMITED_ROWS)]
    begin = time.perf_counter()
    outcomes = list(runner.run(orders, MemoryArtifacts(), bool))
    return {
        "done": sum(outcome.status.value == "done" for outcome in outcomes),
        "of": LIMITED_ROWS,
        "notes": sorted({outcome.notes or "" for outcome in outcomes}),
        "peak_of_process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "seconds": round(time.perf_counter() - begin, 1),
    }


def ask(what: str, of: Any) -> dict[str, Any]:
    """Run one of these functions in a process of its own and return what it found."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, __file__, what, json.dumps(of)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": cache},
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure every shape and write the results."""
    results: dict[str, Any] = circumstances(["torch", "numpy", "ripieno"])
    results["shapes_in_MiB"] = {}
    for name, shape in SHAPES.items():
        row = {"rows": shape.rows, **ask("counted", name), **ask("peak", name)}
        results["shapes_in_MiB"][name] = row
        print(f"{name}: {row}")
    widths: list[Any] = [LIMITED_ROWS, "auto"]
    results["limit_of_1.5_GiB"] = {str(width): ask("limited", width) for width in widths}
    print(results["limit_of_1.5_GiB"])
    write("memory", results)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        function = {"counted": counted, "peak": peak, "limited": limited}[sys.argv[1]]
        print(json.dumps(function(json.loads(sys.argv[2]))))
    else:
        main()
