"""Memory of a population: counted for each row, and the peak of the process.

Run: python benchmarks/memory.py        (about two minutes)

For each shape of benchmarks/population.py, in a process of its own: the bytes of tensors that
a step holds at once, counted at one row and at two (what the runner reckons with when it
chooses a width), and the peak of the process's resident memory with all rows, traced, less
what it was before, after a small stack was traced, which loads much. One eager model is
measured in the same way. Last, a search whose rows need about 2 GB runs in a process that may
have 1.5 GiB: with a given width, which does not fit and is halved on the way, and with the
width that is measured before.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import circumstances, write
from population import EPOCH_ROWS, SHAPES, eager, make, stacked

STEPS = 3
LIMIT = 3 * 2**29
LIMITED_ROWS = 32


def told(name):
    """Return a number of megabytes that the system tells of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024 / 1e6


def counted(shape):
    """Return bytes a row and besides, as the runner counts them."""
    import numpy as np

    from ripieno.population.group import Group
    from ripieno.population.trials import rows_of
    from ripieno.recipes import Data, Recipe
    from ripieno.records import Config, Order

    rng = np.random.default_rng(0)
    data = Data.from_arrays(
        rng.normal(size=(400, 8, 8)), np.arange(400) % 10, validation_share=0.25, test_share=0.25
    )
    config = Config({"optimizer": "sgd", "momentum": 0.9, "batch_size": shape["batch"]})
    recipe = Recipe(model=lambda _config: make(shape["kind"], shape["width"]))
    rows = rows_of(Order(0, config, 0, 1), study_seed=0, folds=1, seeds=1)
    return Group(recipe, data, rows, tier="leaves", engines={}, name="g").probe().bytes()


def child(what, shape):
    """Measure one thing in this process, and print it."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    if what == "counted":
        print(json.dumps(counted(shape)))
        return
    x, y = torch.randn(EPOCH_ROWS, 1, 8, 8), torch.randint(0, 10, (EPOCH_ROWS,))
    # What the first step and the first trace of all load is not a row's.
    small = {"kind": "cnn", "width": 2, "batch": 2, "rows": 4}
    eager(small, x, y)()
    if what == "many":
        stacked(small, (x, y), "traced")
    before = told("VmRSS")
    if what == "one":
        step = eager(shape, x, y)
    else:
        from ripieno.population import keep_freed_memory

        keep_freed_memory()
        step, _, _ = stacked({**shape, "rows": 2 * shape["rows"]}, (x, y), "traced")
    for _ in range(STEPS):
        step()
    print(json.dumps({"before": before, "peak": told("VmHWM")}))


def limited(width):
    """Train rows that need more memory than there is, and print how it went."""
    import resource

    import numpy as np
    import torch

    from ripieno.ledger import MemoryArtifacts
    from ripieno.population import PopulationRunner
    from ripieno.recipes import Data, Recipe
    from ripieno.records import Config, Order

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 1, 8, 8))
    data = Data.from_arrays(x, (x[:, 0, 0, 0] > 0).astype(int), seed=0)
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    recipe = Recipe(model=lambda _config: make("mlp", 1000))
    runner = PopulationRunner(recipe, data, tier="leaves", width=width)
    orders = [Order(trial, Config({"lr": 0.01}), 0, 1) for trial in range(LIMITED_ROWS)]
    begin = time.perf_counter()
    outcomes = list(runner.run(orders, MemoryArtifacts(), lambda: False))
    print(
        json.dumps(
            {
                "done": sum(outcome.status == "done" for outcome in outcomes),
                "of": LIMITED_ROWS,
                "notes": sorted({outcome.notes for outcome in outcomes}),
                "peak_mb": round(told("VmHWM")),
                "seconds": round(time.perf_counter() - begin, 1),
            }
        )
    )


def ask(*words):
    """Run this file in a process of its own and return what it prints."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, __file__, *map(json.dumps, words)],
            stdout=subprocess.PIPE, text=True, check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": cache},
        )  # fmt: skip
    return json.loads(done.stdout)


def main():
    """Measure every shape and write the results."""
    results = {**circumstances(["torch", "numpy", "ripieno"]), "shapes": {}}
    for name, shape in SHAPES.items():
        rows = shape["rows"]
        each, base = ask("counted", shape)
        one, many = ask("one", shape), ask("many", shape)
        results["shapes"][name] = row = {
            "rows": rows,
            "counted_mb_a_row": round(each / 1e6, 3),
            "counted_mb_in_all": round((each * rows + base) / 1e6, 1),
            "peak_mb_over_the_start": round(many["peak"] - many["before"], 1),
            "peak_mb_a_row": round((many["peak"] - many["before"]) / rows, 3),
            "peak_mb_of_the_process": round(many["peak"], 1),
            "one_eager_model_mb_over_the_start": round(one["peak"] - one["before"], 1),
        }
        print(f"{name}: {row}")
    results["limit_of_1.5_GiB"] = {
        str(width): ask("limited", width) for width in (LIMITED_ROWS, "auto")
    }
    print(results["limit_of_1.5_GiB"])
    write("memory", results)


if __name__ == "__main__":
    arguments = [json.loads(word) for word in sys.argv[1:]]
    if not arguments:
        main()
    elif arguments[0] == "limited":
        limited(arguments[1])
    else:
        child(*arguments)
