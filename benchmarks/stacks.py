"""One process of ``population.py``: trains its share of the rows in whatever way it is asked.

It reads commands, one line of JSON each, on standard input, and answers each with a line:

    {"do": "set_up", "as": "compiled", "tier": "compiled", "epochs": 50}   time to choose and make
    {"do": "measure", "of": "compiled", "seconds": 0.6}                    member-steps a second
    {"do": "finish", "epochs": 5}                                          what the runner does
    {"do": "memory", "tier": "traced"}                                     in a process of its own
"""

import json
import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["EPOCH_ROWS", "SHAPES", "Shape"]

EPOCH_ROWS = 1_437
VALIDATION_ROWS = 60
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Shape:
    """Models of one signature.

    Args:
        rows: How many of them, over all processes.
        kind: ``mlp`` of two hidden layers, or ``cnn`` of two blocks.
        width: Hidden units, or filters of the first block; the second has twice as many.
        batch: Examples a step.
        side: Pixels of one side of an image.
        norm: Whether the blocks have a batch norm.
        target: Times as fast as one model after another in every process, at least.
    """

    rows: int
    kind: str
    width: int
    batch: int
    target: float
    side: int = 8
    norm: bool = True

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return math.ceil(EPOCH_ROWS / self.batch)


SHAPES = {
    "MLP 64-32-32-10, batch 32": Shape(128, "mlp", 32, 32, 20.0),
    "MLP 64-128-128-10, batch 32": Shape(64, "mlp", 128, 32, 2.2),
    "CNN 8x8, 8-16 filters + BN, batch 32": Shape(32, "cnn", 8, 32, 6.0),
    "CNN 8x8, 16-32 filters + BN, batch 32": Shape(16, "cnn", 16, 32, 2.5),
    "MLP 64-512-512-10, batch 128": Shape(16, "mlp", 512, 128, 0.95),
    "CNN 28x28, 32-64 filters, batch 128": Shape(16, "cnn", 32, 128, 0.95, side=28, norm=False),
}


def make(shape: Shape) -> Any:
    """Return an untrained model."""
    from torch import nn

    width = shape.width
    if shape.kind == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(shape.side**2, width), nn.ReLU(), nn.Linear(width, width),
            nn.ReLU(), nn.Linear(width, 10),
        )  # fmt: skip
    layers: list[nn.Module] = []
    for channels, filters in ((1, width), (width, 2 * width)):
        layers.append(nn.Conv2d(channels, filters, 3, padding=1))
        if shape.norm:
            layers.append(nn.BatchNorm2d(filters))
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    pixels = (shape.side // 4) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2 * width * pixels, 10))


class Worker:
    """Trains rows of one shape, and remembers how.

    Args:
        shape: The models.
        members: How many of the rows are this process's own.
        device: Where they are trained.
    """

    def __init__(self, shape: Shape, members: int, device: str = "cpu") -> None:
        import torch

        import ripieno.population.tiers  # noqa: F401 - loading it is not part of a set-up

        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.shape, self.members, self.device = shape, members, torch.device(device)
        self.x = torch.randn(EPOCH_ROWS, 1, shape.side, shape.side).to(device)
        self.y = torch.randint(0, 10, (EPOCH_ROWS,)).to(device)
        self.held_bytes = 0
        self._steps: dict[str, tuple[Callable[[], None], int]] = {}

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what a command asks for."""
        match command["do"]:
            case "set_up":
                return self.set_up(command["as"], command["tier"], epochs=command.get("epochs", 0))
            case "measure":
                return {"rate": self.measure(command["of"], command["seconds"])}
            case "finish":
                return self.finish(command["epochs"])
            case "memory":
                return self.memory(command["tier"])
        raise SystemExit(f"{command} is no command.")

    def set_up(self, name: str, tier: str, *, epochs: int = 0) -> dict[str, Any]:
        """Make a step, and say how long that took and which tier it came to."""
        begin = time.perf_counter()
        if tier == "eager":
            self._steps[name] = (self._eager(), 1)
            found = {"tier": tier, "reason": "one model after another"}
        else:
            step, found = self._stacked(tier, epochs * self.shape.steps)
            self._steps[name] = (step, self.members)
        self._steps[name][0]()
        return {"seconds": round(time.perf_counter() - begin, 3), **found}

    def add(self, name: str, step: Callable[[], None], count: int) -> None:
        """Let a step of so many rows, made elsewhere, be measured too."""
        self._steps[name] = (step, count)

    def measure(self, name: str, seconds: float) -> float:
        """Return member-steps a second."""
        from ripieno.population import keep_freed_memory
        from ripieno.recipes import synchronize

        step, count = self._steps[name]
        if name != "eager":
            keep_freed_memory()  # as our workers do; from then on the other side gains too
        step()
        synchronize(self.device)
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            step()
            done += count
        synchronize(self.device)
        return done / (time.perf_counter() - begin)

    def finish(self, epochs: int) -> dict[str, Any]:
        """Train this process's rows with a new runner, validation and storing included."""
        from ripieno.ledger import MemoryArtifacts
        from ripieno.population import PopulationRunner, keep_freed_memory

        keep_freed_memory()
        data, recipe, orders = self._problem(epochs)
        begin = time.perf_counter()
        outcomes = list(PopulationRunner(recipe, data).run(orders, MemoryArtifacts(), bool))
        elapsed = time.perf_counter() - begin
        if [outcome.status.value for outcome in outcomes] != ["done"] * len(orders):
            raise SystemExit("a row did not finish; its time means nothing.")
        steps = math.ceil(len(data.train) / self.shape.batch)
        notes = sorted({outcome.notes or "" for outcome in outcomes})
        return {"seconds": elapsed, "member_steps": steps * epochs * len(orders), "notes": notes}

    def _problem(self, epochs: int) -> tuple[Any, Any, list[Any]]:
        """Return data, a recipe, and this process's rows as orders."""
        from ripieno.recipes import Data, Recipe
        from ripieno.records import Config, Order

        share = VALIDATION_ROWS / (EPOCH_ROWS + VALIDATION_ROWS)
        repeats = [-(-(EPOCH_ROWS + VALIDATION_ROWS) // EPOCH_ROWS), 1, 1]
        images = self.x[:, 0].repeat(*repeats)[: EPOCH_ROWS + VALIDATION_ROWS].numpy()
        labels = self.y.repeat(repeats[0])[: len(images)].numpy()
        data = Data.from_arrays(images, labels, validation_share=share, test_share=0.0)
        recipe = Recipe(model=lambda _: make(self.shape), epochs=epochs)
        common = {"optimizer": "sgd", "momentum": 0.9, "batch_size": self.shape.batch}
        orders = [
            Order(trial, Config({**common, "lr": 0.01 + 1e-5 * trial}), 0, epochs)
            for trial in range(self.members)
        ]
        return data, recipe, orders

    def _alone(self) -> float:
        """Return the seconds of a step of one model in the one-model trainer."""
        from ripieno.recipes import Device, TrainerRunner

        data, recipe, orders = self._problem(1)
        device = Device(str(self.device))
        return TrainerRunner(recipe, data, device=device).step_seconds(orders[0])

    def memory(self, tier: str) -> dict[str, Any]:
        """Return what three steps of a tier need, in MiB, apart from what making them needed.

        It counts from a process that has trained one model and a traced stack of two rows, and
        so holds every library but the compiler.
        """
        self.set_up("warm", "eager")
        if tier != "eager":
            Worker(self.shape, 2).set_up("warm", "traced")
        before = _resident()
        found = self.set_up("step", tier)
        most_before = _peak()
        reset = _reset_peak()
        for _ in range(3):
            self._steps["step"][0]()
        members = self.members if tier != "eager" else 1
        above = max(_peak() - before, 0.0)
        return {
            "tier": found["tier"],
            "rows": members,
            "peak_above_start": round(above, 1),
            "peak_above_start_a_row": round(above / members, 2),
            "arrays": round(self.held_bytes / MIB, 2),
            "peak_of_making": round(most_before, 1),
            "peak_of_process": round(max(_peak(), most_before, _maximum()), 1),
            "making_counted_in": not reset,
        }

    def _eager(self) -> Callable[[], None]:
        """Return a function that trains one model for one step."""
        import torch

        model = make(self.shape).to(self.device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        held = [*model.parameters(), *model.buffers()]
        # A gradient and a momentum beside each parameter.
        self.held_bytes = sum(t.nbytes * (3 if t.requires_grad else 1) for t in held)

        def step() -> None:
            rows = torch.randint(0, len(self.y), (self.shape.batch,), device=self.device)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(self.x[rows]), self.y[rows]).backward()
            optimizer.step()

        return step

    def _stacked(self, tier: str, steps_left: int) -> tuple[Callable[[], None], dict[str, str]]:
        """Return a function that trains all own rows for one step, and how it does it."""
        import torch

        from ripieno.population.optimizers import SGD
        from ripieno.population.stack import Stack
        from ripieno.population.step import Rules, fresh_statistics
        from ripieno.population.tiers import Engine

        members = self.members
        models = [make(self.shape).to(self.device) for _ in range(members)]
        rates = torch.full((members,), 0.01, dtype=torch.float64, device=self.device)
        hyper = {"lr": rates, "momentum": torch.full_like(rates, 0.9)}
        stack = Stack.of(models, SGD(uses=frozenset({"momentum"})), hyper)
        statistics = fresh_statistics(members, self.device)
        fixed = {
            "keys": torch.zeros(members, dtype=torch.int64, device=self.device),
            "rates": rates,
            "active": torch.ones(members, dtype=torch.bool, device=self.device),
        }

        def batch() -> dict[str, Any]:
            rows = torch.randint(0, len(self.y), (members, self.shape.batch), device=self.device)
            return {"x": self.x[rows], "y": self.y[rows], **fixed}

        engine = Engine(models[0], stack.layout, Rules(), tier=tier)  # type: ignore[arg-type]
        choice = engine.decide(
            {**stack.arrays, **statistics}, batch(), steps_left=steps_left, alone=self._alone
        )
        if choice.tier == "alone":
            one = self._eager()

            def each() -> None:
                for _ in range(members):
                    one()

            return each, {"tier": choice.tier, "reason": str(choice)}
        if choice.tier in {"leaves", "vmap"}:
            stack = stack.flat()  # as a group lays it out
        arrays = {**stack.arrays, **statistics}
        while choice is not None and choice.reason.endswith("compiled meanwhile"):
            engine.step(arrays, batch())  # as a group does until an epoch ends
            engine.catch_up(arrays, batch(), epoch=1)
            choice = engine.choice
        held = [array.untyped_storage() for array in arrays.values()]
        self.held_bytes = sum({part.data_ptr(): part.nbytes() for part in held}.values())
        return (
            lambda: engine.step(arrays, batch()),
            {"tier": choice.tier, "reason": str(choice)},
        )


def _resident() -> float:
    """Return the memory of this process now, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / MIB


def _peak() -> float:
    """Return the most memory that this process had since it began or was reset, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _maximum() -> float:
    """Return ``ru_maxrss`` in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _reset_peak() -> bool:
    """Have the system forget the peak so far; False where it does not let us."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    worker = Worker(SHAPES[sys.argv[1]], int(sys.argv[2]))
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), flush=True)
