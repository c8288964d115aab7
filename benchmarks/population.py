"""Member-steps a second: a stack against one model after another, on every core.

Run: python benchmarks/population.py        (about eight minutes; needs a C++ compiler)

Both sides use one process a core with one intra-op thread each, draw their batches from the
same array, and train with SGD and momentum: (b) one model after another in each process, the
strong baseline, and half of the rows as a stack in each process, traced and compiled. (a) is
one process alone, one model after another. Rounds are interleaved; the median of five counts.
Set-up is what choosing and making the graphs takes, cold and with the compiler's disk cache.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

from common import circumstances, write

ROUNDS = 5
SECONDS = 1.2
PROCESSES = 2
EPOCH_ROWS = 1_437

SHAPES = {
    "MLP 64-32-32-10, batch 32": {"rows": 128, "kind": "mlp", "width": 32, "batch": 32},
    "MLP 64-128-128-10, batch 32": {"rows": 64, "kind": "mlp", "width": 128, "batch": 32},
    "CNN 8x8, 8-16 filters + BN, batch 32": {"rows": 32, "kind": "cnn", "width": 8, "batch": 32},
    "CNN 8x8, 16-32 filters + BN, batch 32": {"rows": 16, "kind": "cnn", "width": 16, "batch": 32},
    "MLP 64-512-512-10, batch 128": {"rows": 16, "kind": "mlp", "width": 512, "batch": 128},
}
TARGETS = (20.0, 2.2, 6.0, 2.5, 0.95)


def make(kind, width):
    """Return an untrained model."""
    from torch import nn

    if kind == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 10),
        )  # fmt: skip
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * width, 10),
    )  # fmt: skip


def eager(shape, x, y):
    """Return a function that trains one model for one step."""
    import torch

    model = make(shape["kind"], shape["width"])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step():
        rows = torch.randint(0, len(y), (shape["batch"],))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()

    return step


def stacked(shape, data, tier):
    """Return a function that trains this process's rows for one step, and its set-up time."""
    import torch

    from ripieno.population.optimizers import SGD
    from ripieno.population.stack import Stack
    from ripieno.population.step import Rules, fresh_statistics
    from ripieno.population.tiers import Engine

    x, y = data
    members = shape["rows"] // PROCESSES
    models = [make(shape["kind"], shape["width"]) for _ in range(members)]
    rates = torch.full((members,), 0.01, dtype=torch.float64)
    hyper = {"lr": rates, "momentum": torch.full_like(rates, 0.9)}
    stack = Stack.of(models, SGD(uses=frozenset({"momentum"})), hyper)
    arrays = {**stack.arrays, **fresh_statistics(members)}
    fixed = {
        "keys": torch.zeros(members, dtype=torch.int64),
        "rates": rates,
        "active": torch.ones(members, dtype=torch.bool),
    }

    def batch():
        rows = torch.randint(0, len(y), (members, shape["batch"]))
        return {"x": x[rows], "y": y[rows], **fixed}

    begin = time.perf_counter()
    engine = Engine(models[0], stack.layout, Rules(), tier=tier)
    choice = engine.decide(arrays, batch())
    engine.step(arrays, batch())
    elapsed = time.perf_counter() - begin
    return (lambda: engine.step(arrays, batch())), elapsed, choice.tier


def child(shape):
    """Answer each line on standard input with a measurement on standard output."""
    import torch

    from ripieno.population import keep_freed_memory

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = torch.randn(EPOCH_ROWS, 1, 8, 8), torch.randint(0, 10, (EPOCH_ROWS,))
    members = shape["rows"] // PROCESSES
    steps = {"eager": (eager(shape, x, y), 1)}
    setup = {}
    for name, tier in (("traced", "traced"), ("compiled", "compiled"), ("warm", "compiled")):
        step, setup[name], got = stacked(shape, (x, y), tier)
        if got != tier:
            setup[name] = f"not {tier} but {got}"
        steps[tier] = (step, members)
    print(json.dumps(setup), flush=True)
    for line in sys.stdin:
        name = line.strip()
        if name != "eager":
            keep_freed_memory()  # as our workers do; from then on the other side gains too
        step, count = steps[name]
        step()
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < SECONDS:
            step()
            done += count
        print(json.dumps(done / (time.perf_counter() - begin)), flush=True)


def measure(shape):
    """Return throughputs of both sides over all rounds, and set-up times."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            **os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
            "TORCHINDUCTOR_CACHE_DIR": cache,
        }  # fmt: skip
        children = [
            subprocess.Popen(
                [sys.executable, __file__, json.dumps(shape)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            )
            for _ in range(PROCESSES)
        ]  # fmt: skip

        def ask(name, who):
            for process in who:
                process.stdin.write(name + "\n")
                process.stdin.flush()
            return sum(json.loads(process.stdout.readline()) for process in who)

        setups = [json.loads(process.stdout.readline()) for process in children]
        rounds = []
        for _ in range(ROUNDS):
            found = {name: ask(name, children) for name in ("eager", "traced", "compiled")}
            rounds.append({"alone": ask("eager", children[:1]), **found})
        for process in children:
            process.stdin.close()
            process.wait()
            process.stdout.close()
    return rounds, setups


def summary(shape, rounds, setups):
    """Return medians, ratios and times to finish."""
    median = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    ratios = {
        name: round(statistics.median(r[name] / r["eager"] for r in rounds), 2)
        for name in ("traced", "compiled")
    }
    steps = math.ceil(EPOCH_ROWS / shape["batch"]) * shape["rows"]
    finish = {}
    for epochs in (5, 50):
        work = steps * epochs
        row = {"one after another": work / median["eager"]}
        for name, tier in (("traced", "traced"), ("compiled", "compiled"), ("warm", "compiled")):
            waits = [s[name] for s in setups]
            if all(isinstance(wait, float) for wait in waits):
                row["compiled, warm cache" if name == "warm" else tier] = (
                    max(waits) + work / median[tier]
                )
        finish[f"{epochs} epochs"] = {name: round(s, 2) for name, s in row.items()}
    return {
        "member_steps_per_second": {name: round(value) for name, value in median.items()},
        "against_one_process_a_core": ratios,
        "against_one_core": {
            name: round(median[name] / median["alone"], 2) for name in ("traced", "compiled")
        },
        "setup_seconds": setups,
        "seconds_to_finish_all_rows": finish,
    }


def main():
    """Measure every shape and write the results."""
    results = {**circumstances(["torch", "numpy", "ripieno"]), "processes": PROCESSES, "shapes": {}}
    for (name, shape), target in zip(SHAPES.items(), TARGETS, strict=True):
        rounds, setups = measure(shape)
        row = {"rows": shape["rows"], "target": target, **summary(shape, rounds, setups)}
        results["shapes"][name] = row
        print(f"{name}, {shape['rows']} rows: {row['against_one_process_a_core']}, "
              f"target {target}; {row['seconds_to_finish_all_rows']}")  # fmt: skip
    write("population", results)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(json.loads(sys.argv[1]))
    else:
        main()
