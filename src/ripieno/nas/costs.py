"""What a network costs, and spaces without the networks that cost too much."""

import copy
import math
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ripieno.errors import SpaceError
from ripieno.recipes import KNOBS
from ripieno.space import Config, Space

__all__ = ["Cost", "front", "limited", "limited_again", "measure_cost", "measure_latency"]

_WRITTEN = re.compile(r"at most (\S+) (parameters|flops|seconds)")
_FREE = {*KNOBS, "dropout"}
"""Hyperparameters that change nothing of what a network costs."""
_ROWS = 32
_REPEATS = 7


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs wherever it runs.

    Args:
        parameters: How many numbers are trained.
        flops: Floating-point operations for one example, as torch counts them: those of
            convolutions and matrix products, a multiplication and an addition as two.
    """

    parameters: int
    flops: int


def measure_cost(module: nn.Module, shape: tuple[int, ...]) -> Cost:
    """Return what a network costs; nothing is computed.

    Args:
        module: The network; left as it was.
        shape: Of one example.
    """
    twin = copy.deepcopy(module).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        twin(torch.empty(1, *shape, device="meta", dtype=_dtype(module)))
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Cost(parameters, counter.get_total_flops())


def measure_latency(module: nn.Module, shape: tuple[int, ...], *, rows: int = _ROWS) -> float:
    """Return the seconds that a batch takes forward on this machine: a median of seven.

    Args:
        module: The network; left as it was, and measured where its parameters are.
        shape: Of one example.
        rows: Of the batch.
    """
    twin = copy.deepcopy(module).eval()
    device = next(twin.parameters()).device
    x = torch.zeros(rows, *shape, device=device, dtype=_dtype(module))
    seconds = []
    with torch.no_grad():
        for _ in range(_REPEATS + 1):
            begun = time.perf_counter()
            twin(x)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[1:])  # the first one also loads the kernels


@dataclass(frozen=True, slots=True)
class _Limit:
    """A rule: what a measurement says of an architecture is at most so much.

    An architecture is measured once; hyperparameters of training are not part of it.
    """

    factory: Callable[[Config], nn.Module]
    shape: tuple[int, ...]
    kind: str
    most: float
    seen: dict[Config, float] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, config: Config) -> bool:
        architecture = Config({n: v for n, v in config.items() if n not in _FREE})
        if architecture not in self.seen:
            self.seen[architecture] = self.measure(architecture)
        return self.seen[architecture] <= self.most

    def measure(self, config: Config) -> float:
        if self.kind == "seconds":
            with torch.random.fork_rng(devices=[]):
                return measure_latency(self.factory(config), self.shape)
        with torch.device("meta"):
            network = self.factory(config)
        if self.kind == "parameters":
            return float(sum(parameter.numel() for parameter in network.parameters()))
        return float(measure_cost(network, self.shape).flops)


def limited(
    space: Space,
    factory: Callable[[Config], nn.Module],
    shape: tuple[int, ...],
    *,
    parameters: float | None = None,
    flops: float | None = None,
    seconds: float | None = None,
) -> Space:
    """Return the space without the architectures that cost too much.

    The rules are functions and do not travel with the space, but their descriptions do, of
    which :func:`limited_again` makes them anew: so a study of the recipe ``nas`` is resumed
    with its limits. One of another recipe has to be given the space again. A limit on seconds
    depends on the machine and on what else runs on it; use those on parameters and operations
    where a search has to be repeated exactly.

    Args:
        space: What is searched; left unchanged.
        factory: Builds a network out of a config.
        shape: Of one example.
        parameters: At most so many.
        flops: At most so many operations for one example; see :class:`Cost`.
        seconds: At most so long for a batch of 32 forward; see :func:`measure_latency`.

    Raises:
        SpaceError: No limit is given, or one that is not above zero.
    """
    limits = {"parameters": parameters, "flops": flops, "seconds": seconds}
    given = {kind: most for kind, most in limits.items() if most is not None}
    wrong = [f"{kind} = {most!r}" for kind, most in given.items() if not most > 0.0]
    if wrong or not given:
        raise SpaceError(
            f"{wrong[0]} leaves no network." if wrong else "nothing is limited.",
            where="limited(space, factory, shape, …)",
            fix="give parameters, flops or seconds, above zero.",
        )
    for kind, most in given.items():
        written = repr(float(most)).removesuffix(".0")
        space = space.where(_Limit(factory, shape, kind, most), f"at most {written} {kind}")
    return space


def limited_again(
    space: Space, factory: Callable[[Config], nn.Module], shape: tuple[int, ...]
) -> Space:
    """Return a space that was written and read, with the rules of :func:`limited`.

    Args:
        space: Left unchanged; one that has lost no such rule is returned itself.
        factory: Builds a network out of a config.
        shape: Of one example.
    """
    found = [
        None if constraint.rule is not None else _WRITTEN.fullmatch(constraint.description)
        for constraint in space.constraints
    ]
    if not any(found):
        return space
    again = Space(**space)
    for constraint, written in zip(space.constraints, found, strict=True):
        rule: Callable[[Config], bool] | str = constraint.rule or constraint.holds
        if written:
            rule = _Limit(factory, shape, written[2], float(written[1]))
        again = again.where(rule, constraint.description)
    return again


def front(costs: Sequence[float], losses: Sequence[float]) -> list[int]:
    """Return the places at which nothing is both cheaper and better, the cheapest first.

    Args:
        costs: Of each network.
        losses: Of each network, less is better; NaN is never on the front.
    """
    order = sorted(range(len(costs)), key=lambda place: (costs[place], losses[place]))
    found: list[int] = []
    for place in order:
        if math.isnan(losses[place]):
            continue
        if not found or losses[place] < losses[found[-1]]:
            found.append(place)
    return found


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
