"""Stacks on a GPU: what ``population.py --device cuda`` measures.

Member-steps a second of stacks (tiers that are forced, and the one that the engine picks for 50
epochs), of one model after another as PyTorch is written (``eager``), and of one model whose
whole step, optimizer included, is one CUDA graph (``graphed``): the strong baseline, which pays
for no call. All sides draw their batches on the device, and train in float32 with SGD and
momentum. Rounds are interleaved, and the median counts.

The bound is that of a roofline: bytes of weights and activations, by the device's own bandwidth,
or operations, by its own rate of matrix products, both measured here; whichever takes longer.
"""

from collections.abc import Callable
from statistics import median
from typing import Any

from common import circumstances, load_average, write
from stacks import Shape, Worker, make

__all__ = ["GPU_SHAPES", "Roofline", "measure_on", "measure_shape"]

GPU_SHAPES = {
    "MLP 784-128-128-10, batch 64": Shape(256, "mlp", 128, 64, 0.0, side=28),
    "CNN 28x28, 32-64 filters, batch 64": Shape(32, "cnn", 32, 64, 0.0, side=28, norm=False),
}
TIERS = ("leaves", "traced")
_WEIGHT_PASSES = 8
"""Read forward and backward, gradient written; then read with gradient and momentum, and both
written."""
_ACTIVATION_PASSES = 4
"""Written and read forward, its gradient written and read backward: nothing is fused."""
_PEAK_BYTES, _PEAK_SIDE = 2**28, 4096


def measure_on(device: str, *, rounds: int, seconds: float) -> None:
    """Measure every shape, print, and write the results."""
    import torch

    torch.backends.cudnn.allow_tf32 = False  # as training does; see docs/devices.md
    results = circumstances(["torch", "numpy", "ripieno"])
    results["device"] = torch.cuda.get_device_name(device) if "cuda" in device else device
    bandwidth, rate = peaks(device)
    results |= {"bytes_per_second": bandwidth, "operations_per_second": rate, "shapes": {}}
    for name, shape in GPU_SHAPES.items():
        bound = Roofline.of(shape).seconds(bandwidth, rate)
        row = measure_shape(shape, device, bound=bound, rounds=rounds, seconds=seconds)
        results["shapes"][name] = row
        print(f"{name}, {shape.rows} rows\n  {row}", flush=True)
    results["machine"]["load_after"] = load_average()
    print(f"written to {write('population-gpu', results)}")


def measure_shape(
    shape: Shape, device: str, *, bound: float, rounds: int, seconds: float
) -> dict[str, Any]:
    """Return the rates of every side, and what they are of each other and of the bound.

    Args:
        shape: The models.
        device: Where they are trained.
        bound: Seconds of a member's step by the roofline.
        rounds: How often each side is measured.
        seconds: Of one measurement.
    """
    worker = Worker(shape, shape.rows, device)
    setups = {tier: worker.set_up(tier, tier) for tier in ("eager", *TIERS)}
    setups["auto"] = worker.set_up("auto", "auto", epochs=50)
    graphed = graphed_step(worker)
    if graphed is not None:
        worker.add("graphed", graphed, 1)
    sides = [*setups, *([] if graphed is None else ["graphed"])]
    found = [{side: worker.measure(side, seconds) for side in sides} for _ in range(rounds)]
    rates = {side: median(row[side] for row in found) for side in sides}
    stacks = [side for side in sides if side not in {"eager", "graphed"}]
    row = {
        "rows": shape.rows,
        "member_steps_per_second": {side: round(rate, 1) for side, rate in rates.items()},
        "against_eager": {side: round(rates[side] / rates["eager"], 2) for side in sides},
        "bound_microseconds": round(1e6 * bound, 3),
        "share_of_the_roofline": {side: round(rates[side] * bound, 4) for side in sides},
        "setup": setups,
    }
    if graphed is not None:
        row["against_graphed"] = {s: round(rates[s] / rates["graphed"], 2) for s in stacks}
    return row


def graphed_step(worker: Worker) -> Callable[[], None] | None:
    """Return a step of one model as one CUDA graph; None where there are no such graphs."""
    import torch

    if worker.device.type != "cuda":
        return None
    batch = worker.shape.batch
    model = make(worker.shape).to(worker.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, foreach=True)
    x, y = worker.x[:batch].clone(), worker.y[:batch].clone()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    # What is allocated, and chosen, at the first steps is none of the graph.
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    def replay() -> None:
        rows = torch.randint(0, len(worker.y), (batch,), device=worker.device)
        torch.index_select(worker.x, 0, rows, out=x)
        torch.index_select(worker.y, 0, rows, out=y)
        graph.replay()

    return replay


class Roofline:
    """What a member's step has to move and to compute at least, if nothing is fused.

    Args:
        moved: Bytes.
        operations: Multiplications and additions.
    """

    def __init__(self, moved: float, operations: float) -> None:
        self.moved, self.operations = moved, operations

    @classmethod
    def of(cls, shape: Shape) -> "Roofline":
        """Count them on one example of a model."""
        import torch
        from torch import nn

        model, numbers, products = make(shape), 0, 0

        def see(layer: nn.Module, _: tuple[Any, ...], out: Any) -> None:
            nonlocal numbers, products
            numbers += 0 if isinstance(layer, nn.Flatten) else out.numel()
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                products += out.numel() * layer.weight[0].numel()

        for layer in model:
            layer.register_forward_hook(see)
        model(torch.zeros(1, 1, shape.side, shape.side))
        weights = sum(parameter.numel() for parameter in model.parameters())
        inputs = 2 * shape.side**2  # read forward, and for the gradient of the first weights
        examples = numbers * _ACTIVATION_PASSES + inputs
        moved = 4 * (weights * _WEIGHT_PASSES + shape.batch * examples)
        # Each product once forward and twice backward, a multiplication and an addition each.
        return cls(moved, 6 * shape.batch * products)

    def seconds(self, bandwidth: float, rate: float) -> float:
        """Return the seconds that a device needs at least."""
        return max(self.moved / bandwidth, self.operations / rate)


def peaks(device: str) -> tuple[float, float]:
    """Return the bytes and the operations in float32 that a device does in a second."""
    import torch

    large = torch.zeros(_PEAK_BYTES // 4, device=device)
    other = torch.empty_like(large)
    square = torch.zeros(_PEAK_SIDE, _PEAK_SIDE, device=device)
    copying = best_seconds(lambda: other.copy_(large), device)
    multiplying = best_seconds(lambda: square @ square, device)
    return 2 * _PEAK_BYTES / copying, 2 * _PEAK_SIDE**3 / multiplying


def best_seconds(run: Callable[[], object], device: str) -> float:
    """Return the shortest time of ten calls."""
    import time

    import torch

    from ripieno.recipes import synchronize

    times = []
    for _ in range(10):
        synchronize(torch.device(device))
        begin = time.perf_counter()
        run()
        synchronize(torch.device(device))
        times.append(time.perf_counter() - begin)
    return min(times)
