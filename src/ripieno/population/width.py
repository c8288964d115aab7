"""How many rows of a signature are trained together: measured, and remembered.

A wider stack shares what a step costs whatever its width, until its tensors no longer fit the
last-level cache (then every further row is slower) or the memory. So the bytes that a step
takes are counted at one row and at two: they are a line, exactly, and the line says how many
rows fit. Where all rows fit the cache, nothing else is measured. Where they do not, and the
work is worth it, steps of the width that fits, of twice as many and of half as many rows are
timed, as long as it gets better: a cache that overflows costs a fifth at a network with large
activations, and nothing at one with large weights, which no formula told us.

No number of a trial depends on the width.
"""

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from ripieno.population.choice import Tier
from ripieno.population.footprint import peak_bytes
from ripieno.population.machine import available_bytes, cache_bytes, workers
from ripieno.population.remembered import Remembered
from ripieno.population.stack import Stack
from ripieno.population.step import Batch, fresh_statistics
from ripieno.population.tiers import Engine
from ripieno.recipes import Device, draws, free_bytes, is_out_of_memory, raise_out_of_memory

__all__ = ["Probe", "Width", "Widths", "best_width", "most_rows"]

_MOST_ROWS = 32
_MOST_ROWS_OF_A_GPU = 128
_FEW = 8
"""Rows up to which a wider stack was faster at every shape that was measured."""
_CACHE_SHARE = 0.7
"""The part of the cache that is taken for a step; the rest is for code and the system."""
_MEMORY_SHARE = 0.8
_TRACED_SECONDS = 20.0
"""Work from which on steps are traced, or about that; less is done by the leaves themselves."""
_TIMES_KEPT = 20
"""How many times what rows keep must be free for a few rows to be trained unmeasured."""
_CLEARLY = 1.05
"""How much better a width must be to be worth twice the memory."""
_WORTH = 0.05
"""The share of the work that a better width is taken to save, before it is known."""
_KIND = "width"


def most_rows(device: Device) -> int:
    """Return the rows of one stack at most, where their number is measured.

    So many orders are asked for at once, whatever is measured: what a search proposes must not
    depend on a clock. On CUDA a small model's step takes no longer for many rows than for one.
    """
    return _MOST_ROWS_OF_A_GPU if device.means_cuda else _MOST_ROWS


@dataclass(frozen=True, slots=True)
class Width:
    """How many rows, and why.

    Args:
        rows: Rows of one stack at most.
        reason: Why not more, in words without colons; empty where nothing was measured.
        tried: How many rows there were when this was found; more are another question.
        each: Bytes that a row takes; 0 where it was not measured.
        base: Bytes that a step takes besides.
    """

    rows: int
    reason: str
    tried: int
    each: int = 0
    base: int = 0

    def within(self, room: int | None) -> "Width":
        """Return the width that fits this many free bytes; None is no limit."""
        if room is None or not self.each:
            return self
        fit = int((_MEMORY_SHARE * room - self.base) / self.each)
        if fit >= self.rows:
            return self
        words = f"{max(fit, 0)} of {_mb(self.each)} each fit the memory that is free, {_mb(room)}"
        return replace(self, rows=max(1, fit), reason=words)


@dataclass(frozen=True, slots=True)
class Probe:
    """One row, of which stacks of any width can be made to try them.

    Args:
        engine: What trains them.
        arrays: Of one row.
        batch: A full batch of it.
    """

    engine: Engine
    arrays: Mapping[str, Tensor]
    batch: Batch

    @classmethod
    def of(cls, engine: Engine, stack: Stack, batch: Batch, *, seed: int, rate: float) -> "Probe":
        """Return a probe of a stack of one row.

        Args:
            engine: What trains it.
            stack: One row.
            batch: What a step reads of data.
            seed: The row's.
            rate: The row's learning rate.
        """
        rest = {
            "keys": draws.step_keys(seed, 0, 1),
            "rates": torch.full((1,), rate, dtype=torch.float64),
            "active": torch.ones(1, dtype=torch.bool),
        }
        device = batch["y"].device
        return cls(
            engine,
            {**stack.arrays, **fresh_statistics(1, device)},
            {**batch, **{name: tensor.to(device) for name, tensor in rest.items()}},
        )

    @property
    def kept(self) -> int:
        """Bytes of what a row keeps from step to step."""
        return sum(array.nbytes for array in self.arrays.values())

    def stack(self, rows: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return arrays and a batch of as many equal rows."""
        arrays = {n: t.repeat_interleave(rows, dim=0) for n, t in self.arrays.items()}
        batch = {n: t.repeat_interleave(rows, dim=0) for n, t in self.batch.items() if n != "x"}
        x = self.batch["x"]
        shared = self.engine.rules.shared
        return arrays, {**batch, "x": x if shared else x.repeat_interleave(rows, dim=0)}

    def bytes(self) -> tuple[int, int] | None:
        """Return the bytes of a step: of every row, and besides; None if it has no stack.

        Counted for each row are the most that a step holds at once (parameters, gradients,
        the optimizer's state, activations), and two copies of what the row keeps: the one
        that a probe works on, and the state after the last epoch.
        """
        # Kernels are not measured yet from here on: which ones are taken matters little.
        self.engine.try_direct(*self.stack(1))
        peaks = []
        for rows in (1, 2):
            arrays, batch = self.stack(rows)
            try:
                # Once before, so that what is made at the first call is not counted.
                self.engine.leaves(arrays, batch)
                peaks.append(peak_bytes(partial(self.engine.leaves, arrays, batch)))
            except Exception as error:  # noqa: BLE001 - a user's forward may raise anything
                raise_out_of_memory(error)
                return None
        return peaks[1] - peaks[0] + 2 * self.kept, max(0, 2 * peaks[0] - peaks[1])

    def tier(self, rows: int, *, steps: int) -> Tier:
        """Return the tier in which widths are compared: it is never compiled for them.

        Args:
            rows: Rows of a stack.
            steps: Steps that are to come, counted for each row.
        """
        forced = self.engine.forced
        if forced != "auto":
            return "traced" if forced == "compiled" else forced
        work = steps / rows * self.seconds(rows, "leaves")
        return "leaves" if work < _TRACED_SECONDS else "traced"

    def seconds(self, rows: int, tier: Tier) -> float:
        """Time a step of so many rows; infinite where memory is out."""
        try:
            return self.engine.seconds(tier, *self.stack(rows))
        except Exception as error:
            if is_out_of_memory(error):
                return math.inf
            raise


@dataclass(slots=True)
class Widths:
    """The widths of one runner.

    Args:
        most: Rows of one stack at most, whatever is measured.
        measured: Whether to measure at all; else every stack is as wide as it may be.
        remembered: What was measured before.
        device: Where stacks are trained.
    """

    most: int
    measured: bool
    remembered: Remembered
    device: Device = field(default_factory=Device)
    _known: dict[str, Width] = field(default_factory=dict)

    def find(self, name: str, rows: int, *, probe: Callable[[], Probe], steps: int) -> Width:
        """Return the width for rows of a signature.

        Args:
            name: Of the signature.
            rows: How many there are.
            probe: Makes a row to try; called only if something has to be measured.
            steps: Steps that are to come, counted for each row.
        """
        known = self._known.get(name)
        if known is None and self.measured:
            known = self._recall(name)
        if known is None or (known.rows == known.tried and rows > known.tried):
            most = min(rows, self.most)
            if not self.measured:
                return Width(most, "", most)
            known = _measure(probe(), most, steps=steps, device=self.device)
            self.remembered.put(_KIND, _key(name, self.device), asdict(known))
        self._known[name] = known
        # Where rows are small nobody is asked for the room, which takes longer than a step.
        return known.within(_room(self.device) if known.each else None)

    def shrink(self, name: str, rows: int) -> None:
        """Have no stack of a signature as wide again as one that memory ran out with.

        Other runs are not told: what else filled the memory may be gone by then.
        """
        self._known[name] = Width(max(1, rows // 2), f"memory ran out with {rows} rows", self.most)

    def _recall(self, name: str) -> Width | None:
        facts = self.remembered.get(_KIND, _key(name, self.device))
        found = (facts.get(name) for name in ("rows", "tried", "each", "base"))
        numbers = [n for n in found if isinstance(n, int) and n >= 0]
        if len(numbers) < 4 or not 1 <= numbers[0] <= numbers[1]:
            return None
        rows, tried, each, base = numbers
        words = f"{facts['reason']}, remembered" if facts.get("reason") else ""
        return Width(min(rows, self.most), words, tried, each, base)


def best_width(
    rate: Callable[[int], float], *, first: int, most: int
) -> tuple[int, dict[int, float]]:
    """Return the narrowest width that is nearly as fast as the fastest one near ``first``.

    Args:
        rate: Rows a second of a width; called once a width.
        first: Where to begin.
        most: The widest.

    Returns:
        The width, and the rates that were measured.
    """
    rates = {first: rate(first)}
    best = first
    while best < most:
        wider = min(2 * best, most)
        rates[wider] = rate(wider)
        if rates[wider] < _CLEARLY * rates[best]:
            break
        best = wider
    if best > first:
        return best, rates
    while best > 1:
        narrower = best // 2
        rates[narrower] = rate(narrower)
        if _CLEARLY * rates[narrower] < max(rates.values()):
            break
        best = narrower
    return best, rates


def _measure(probe: Probe, most: int, *, steps: int, device: Device) -> Width:
    """Measure how many of ``most`` rows are best trained together."""
    if probe.engine.forced == "loop":
        return Width(most, "", most)
    room, cache = _room(device), cache_bytes() if device.is_cpu else None
    if most <= _FEW and (room is None or _TIMES_KEPT * probe.kept * most < room):
        return Width(most, "", most)
    found = probe.bytes()
    if found is None:
        return Width(most, "", most)
    each, base = found
    first = most if cache is None else int((_CACHE_SHARE * cache - base) / each)
    first = min(most, max(_FEW, first))
    # A GPU is fed best by as many rows as its memory holds.
    words = f"all of {_mb(each)} each fit the cache" if device.is_cpu else ""
    width = Width(first, words, most, each, base)
    if first == most:
        return width
    fitting = width.within(room)
    return fitting if fitting is not width else _time(probe, width, steps=steps)


def _time(probe: Probe, width: Width, *, steps: int) -> Width:
    """Time steps of some widths from the given one on, if the work is worth it."""
    begin, first = time.perf_counter(), width.rows
    tier = probe.tier(first, steps=steps)
    seconds = probe.seconds(first, tier)
    cost = time.perf_counter() - begin
    if math.isinf(seconds) or _WORTH * seconds / first * steps < 2 * cost:
        return replace(width, reason=f"as many of {_mb(width.each)} each as the cache holds")

    def rate(rows: int) -> float:
        return rows / (seconds if rows == first else probe.seconds(rows, tier))

    best, rates = best_width(rate, first=first, most=width.tried)
    tried = ", ".join(f"{rates[rows]:.0f} of {rows}" for rows in sorted(rates))
    return replace(width, rows=best, reason=f"by row-steps a second, {tried}")


def _mb(size: int) -> str:
    return f"{size / 1e6:.2g} MB" if size < 1e8 else f"{size / 1e6:.0f} MB"


def _room(device: Device) -> int | None:
    """Return how many more bytes this process may take where stacks are trained."""
    return available_bytes() if device.is_cpu else free_bytes(device.found)


def _key(name: str, device: Device) -> str:
    text = f"{name} {workers()} workers, {torch.get_num_threads()} threads"
    text += "" if device.words is None else f", {device.words}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
