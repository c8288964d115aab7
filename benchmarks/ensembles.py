"""Training ensembles: the makers beside torchensemble, the same work on the same machine.

    python benchmarks/ensembles.py [--seeds 5] [--minutes 60] [--only "digits mlp"]
    python benchmarks/ensembles.py --tiny               # does it run?

Same network, optimizer, batch size and epochs; both are given the same standardised tensors.
Ripieno also measures every member on the validation part after each epoch, which torchensemble
is not asked to do; its gradient boosting then keeps the best stage. Boosting learns gradients
without a corrective step, as torchensemble does. Where torchensemble is not installed its half
is left out, and the results say so. Fashion-MNIST is read from ``RIPIENO_DATA`` (default
``../shared/data``), its first 10,000 rows; without it digits alone are measured.

Both sides of a task run one after the other in one process of one thread, after a short training
of each. Compared is the processor's time, which other work on the machine leaves as it is but for
the caches; the seconds of the clock stand beside it. Runs are kept one by one in
``results/ensembles.partial.jsonl``; called again, it does what is missing, the cheap networks
first.
"""

import argparse
import contextlib
import importlib.util
import io
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import Cell, read_cells, run_cells
from common import RESULTS, circumstances, write_compact
from torch import nn

import ripieno as rp
from ripieno.ensembles import Bagging, DeepEnsemble, GradientBoosting, Maker, Snapshot
from ripieno.recipes import Data, Split

BATCH, LR, RATE = 64, 1e-3, 0.3
CONFIG = rp.Config({"lr": LR, "optimizer": "adam", "batch_size": BATCH})
PEER = "torchensemble"
PARTIAL = RESULTS / "ensembles.partial.jsonl"


@dataclass(frozen=True)
class Task:
    """What is measured once a seed, by both sides; its data have a test part."""

    data: Data
    network: str
    method: str
    members: int
    epochs: int

    @property
    def test(self) -> Split:
        """The test part."""
        if self.data.test is None:
            raise ValueError(f"{self.data.name} has no test part.")
        return self.data.test

    @property
    def total_epochs(self) -> int:
        """Epochs of a training: those of snapshots are shared out to all members."""
        if self.method != "snapshot":
            return self.epochs
        return self.members * math.ceil(self.epochs / self.members)


class Network(nn.Module):
    """The network of both sides; a class, for torchensemble copies the weights of an instance.

    Args:
        kind: ``mlp`` of one hidden layer, or ``cnn`` of two blocks.
        shape: Of one row.
    """

    def __init__(self, kind: str, shape: tuple[int, ...]) -> None:
        super().__init__()
        if kind == "mlp":
            features = int(np.prod(shape))
            layers = [nn.Flatten(), nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 10)]
        else:
            side = shape[-1] // 4
            layers = [
                nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Flatten(), nn.Linear(16 * side * side, 10),
            ]  # fmt: skip
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        found: torch.Tensor = self.layers(x)
        return found


def build(task: Task, _config: rp.Config) -> nn.Module:
    """Return an untrained network."""
    return Network(task.network, task.data.shape)


def makers(members: int) -> dict[str, Maker]:
    """Return Ripieno's half by method."""
    return {
        "voting": DeepEnsemble(members),
        "bagging": Bagging(members),
        "snapshot": Snapshot(members),
        "boosting": GradientBoosting(members, rate=RATE, order=1, corrective_epochs=0),
    }


class Watch:
    """Seconds of the clock and of this process's threads since it was made."""

    def __init__(self) -> None:
        self._begin = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> dict[str, float]:
        """Both, rounded."""
        clock, processor = self._begin
        return {
            "seconds": round(time.perf_counter() - clock, 3),
            "processor_seconds": round(time.process_time() - processor, 3),
        }


def ours(task: Task, seed: int) -> Cell:
    """Return seconds of training and test accuracy."""
    recipe = rp.Recipe(model=partial(build, task), epochs=task.total_epochs)
    watch = Watch()
    made = makers(task.members)[task.method].make(recipe, task.data, CONFIG, seed=seed)
    return {**watch.seconds, "accuracy": made.score(task.test)["accuracy"]}


def theirs(task: Task, seed: int) -> Cell:
    """Return the same of torchensemble, in its fastest way on two cores: one process."""
    peer: Any = __import__(PEER)
    kinds = {
        "voting": peer.VotingClassifier,
        "bagging": peer.BaggingClassifier,
        "snapshot": peer.SnapshotEnsembleClassifier,
        "boosting": peer.GradientBoostingClassifier,
    }
    torch.manual_seed(seed)
    options = {"shrinkage_rate": RATE} if task.method == "boosting" else {}
    model = kinds[task.method](
        estimator=Network,
        estimator_args={"kind": task.network, "shape": task.data.shape},
        n_estimators=task.members,
        cuda=False,
        **options,
    )
    model.set_criterion(nn.CrossEntropyLoss())
    model.set_optimizer("Adam", lr=LR)
    train, test = (
        torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(torch.from_numpy(part.x), torch.from_numpy(part.y)),
            batch_size=BATCH, shuffle=part is task.data.train,
        )
        for part in (task.data.train, task.test)
    )  # fmt: skip
    watch = Watch()
    model.fit(train, epochs=task.total_epochs, log_interval=10**9, save_model=False)
    return {**watch.seconds, "accuracy": model.evaluate(test) / 100}


def fashion() -> Data | None:
    """Return 10,000 rows of Fashion-MNIST, or None where they are missing."""
    path = Path(os.environ.get("RIPIENO_DATA", "../shared/data")) / "images/fashion_mnist.npz"
    if not path.exists():
        print(f"{path} is missing: digits alone are measured.")
        return None
    held = np.load(path)
    x, y = held["x_train"][:10_000], held["y_train"][:10_000].astype(int)
    return Data.from_arrays(x, y, name="Fashion-MNIST, 10,000 rows")


def tasks(*, tiny: bool) -> dict[str, Task]:
    """Return what is measured by name, the cheap networks first."""
    digits = rp.load_data("digits")
    if tiny:
        return {f"digits mlp 2 {method}": Task(digits, "mlp", method, 2, 1) for method in makers(2)}
    images = fashion()
    sets = [("digits", digits, 20)] + ([] if images is None else [("Fashion-MNIST", images, 3)])
    kinds = [(*each, kind) for kind in ("mlp", "cnn") for each in sets]
    return {
        f"{name} {kind} {members} {method}": Task(data, kind, method, members, epochs)
        for name, data, epochs, kind in kinds
        for members in (8, 32)
        for method in makers(members)
    }


_ready: list[dict[str, Task]] = []


def run_cell(task: tuple[str, int]) -> Cell:
    """Measure both sides of a task once."""
    name, seed = task
    if not _ready:
        _ready.append(tasks(tiny=False))
        warm = tasks(tiny=True)["digits mlp 2 voting"]
        for run in _sides().values():
            run(warm, 0)
        # torch's first optimizer imports its compiler, which takes a second or two.
        torch.optim.Adam(Network(warm.network, warm.data.shape).parameters())
    own = _ready[0][name]
    problem, method = name.rsplit(" ", 1)
    found: Cell = {"problem": problem, "method": method, "seed": seed, "epochs": own.total_epochs}
    for side, run in _sides().items():
        told = run(own, seed)
        found[side] = {**told, "accuracy": round(told["accuracy"], 6)}
    return found


def _sides() -> dict[str, Callable[[Task, int], Cell]]:
    there = importlib.util.find_spec(PEER) is not None
    return {"ripieno": ours, **({PEER: _silent} if there else {})}


def _silent(task: Task, seed: int) -> Cell:
    """Run the peer, which prints a line an epoch."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return theirs(task, seed)


def summarize(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return medians over seeds by task."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys((cell["problem"], cell["method"]) for cell in cells):
        runs = [cell for cell in cells if (cell["problem"], cell["method"]) == name]
        row: dict[str, Any] = {"seeds": len(runs)}
        for side in ("ripieno", PEER):
            own = [run[side] for run in runs if side in run]
            if own:
                row[side] = {
                    **{
                        kind: round(statistics.median(each[kind] for each in own), 3)
                        for kind in ("seconds", "processor_seconds")
                    },
                    "accuracy": statistics.fmean(each["accuracy"] for each in own),
                }
        if PEER in row:
            kind = "processor_seconds"
            ratios = [run[PEER][kind] / run["ripieno"][kind] for run in runs]
            row["times_as_fast"] = round(statistics.median(ratios), 2)
        found[" ".join(name)] = row
    return found


def main() -> None:
    """Measure what is missing and write ``results/ensembles.json``, or print where it is tiny."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of names")
    arguments = parser.parse_args()
    if arguments.tiny:
        for task in tasks(tiny=True).values():
            print({side: run(task, 0) for side, run in _sides().items()})
        return
    there = importlib.util.find_spec(PEER) is not None
    before = circumstances(["ripieno", "torch", *([PEER] if there else [])])
    kept = read_cells(RESULTS / "ensembles.json", PARTIAL)
    wanted = [
        (name, seed)
        for seed in range(arguments.seeds)
        for name in tasks(tiny=False)
        if any(name.startswith(prefix) for prefix in arguments.only)
        and (*name.rsplit(" ", 1), seed) not in kept
    ]
    run_cells(run_cell, wanted, path=PARTIAL, jobs=1, minutes=arguments.minutes)
    cells = list(read_cells(RESULTS / "ensembles.json", PARTIAL).values())
    print(write_compact("ensembles", {**before, "tasks": summarize(cells)}, cells))
    PARTIAL.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
