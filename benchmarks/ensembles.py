"""Training ensembles: the makers beside torchensemble, the same work on the same machine.

    python benchmarks/ensembles.py                      # all of it, about an hour
    python benchmarks/ensembles.py --tiny               # does it run?

Same network, optimizer, batch size and epochs; both are given the same standardised tensors.
Ripieno also measures every member on the validation part after each epoch, which torchensemble
is not asked to do; its gradient boosting then keeps the best stage. Boosting learns gradients
without a corrective step, as torchensemble does. Where torchensemble is not installed its half
is left out, and the results say so. Fashion-MNIST is read from ``RIPIENO_DATA`` (default
``../shared/data``), its first 10,000 rows; without it digits alone are measured.
"""

import argparse
import importlib.util
import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import circumstances, write
from torch import nn

import ripieno as rp
from ripieno.ensembles import Bagging, DeepEnsemble, GradientBoosting, Maker, Snapshot
from ripieno.recipes import Data, Split

BATCH, LR, RATE = 64, 1e-3, 0.3
CONFIG = rp.Config({"lr": LR, "optimizer": "adam", "batch_size": BATCH})
PEER = "torchensemble"


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


def ours(task: Task, seed: int) -> tuple[float, float]:
    """Return seconds of training and test accuracy."""
    recipe = rp.Recipe(model=partial(build, task), epochs=task.total_epochs)
    begin = time.perf_counter()
    made = makers(task.members)[task.method].make(recipe, task.data, CONFIG, seed=seed)
    seconds = time.perf_counter() - begin
    return seconds, made.score(task.test)["accuracy"]


def theirs(task: Task, seed: int) -> tuple[float, float]:
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
    begin = time.perf_counter()
    model.fit(train, epochs=task.total_epochs, log_interval=10**9, save_model=False)
    return time.perf_counter() - begin, model.evaluate(test) / 100


def fashion() -> Data | None:
    """Return 10,000 rows of Fashion-MNIST, or None where they are missing."""
    path = Path(os.environ.get("RIPIENO_DATA", "../shared/data")) / "images/fashion_mnist.npz"
    if not path.exists():
        print(f"{path} is missing: digits alone are measured.")
        return None
    held = np.load(path)
    x, y = held["x_train"][:10_000], held["y_train"][:10_000].astype(int)
    return Data.from_arrays(x, y, name="Fashion-MNIST, 10,000 rows")


def tasks(*, tiny: bool) -> list[Task]:
    """Return what is measured."""
    sets = [(rp.load_data("digits"), 1 if tiny else 20)]
    images = None if tiny else fashion()
    sets += [] if images is None else [(images, 10)]
    return [
        Task(data, kind, method, members, epochs)
        for data, epochs in sets
        for kind in ("mlp", "cnn")
        for members in ((2,) if tiny else (8, 32))
        for method in makers(members)
    ]


def measured(
    run: Callable[[Task, int], tuple[float, float]], task: Task, seeds: int
) -> dict[str, Any]:
    """Return the seconds and accuracies of all seeds."""
    found = [run(task, seed) for seed in range(seeds)]
    return {"seconds": [s for s, _ in found], "accuracy": [a for _, a in found]}


def main() -> None:
    """Measure and write ``results/ensembles.json``, or print where it is tiny."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    seeds = 1 if arguments.tiny else arguments.seeds
    there = importlib.util.find_spec(PEER) is not None
    packages = ["torch", *([PEER] if there else [])]
    results: dict[str, Any] = {**circumstances(packages), "peer": there, "seeds": seeds}
    rows = results["tasks"] = []
    for task in tasks(tiny=arguments.tiny):
        row: dict[str, Any] = {
            "data": task.data.name, "network": task.network, "method": task.method,
            "members": task.members, "epochs": task.total_epochs,
            "ripieno": measured(ours, task, seeds),
        }  # fmt: skip
        if there:
            row[PEER] = measured(theirs, task, seeds)
            medians = [statistics.median(row[side]["seconds"]) for side in (PEER, "ripieno")]
            row["times_as_fast"] = medians[0] / medians[1]
        rows.append(row)
        print(row)
    if not arguments.tiny:
        print(write("ensembles", results))


if __name__ == "__main__":
    main()
