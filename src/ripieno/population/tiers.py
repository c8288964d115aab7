"""How a stack is computed: from one row after another up to one compiled graph.

====================  ====================================================================
``compiled``          the traced graph, compiled; full batches only
``traced``            the whole step as a flat graph, without vmap, modules and autograd
``leaves``            the forward with member-aware leaves: once, on stand-ins for tensors,
                      where every function is known to treat rows alone, else under vmap
``vmap``              the forward under vmap, with those leaves alone that numbers need
``loop``              one row after another through an ordinary module; it always works
``alone``             no stack at all: large models are faster in the one-model trainer
====================  ====================================================================

A model that cannot be stacked is no error: it is trained in the loop, and the reason is kept.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from ripieno.population.choice import TIERS, Choice, Tier, rather_alone
from ripieno.population.compiled import MEANWHILE, CompiledTier
from ripieno.population.compiler import Compiler
from ripieno.population.graphs import Function, Graph, shapes, traced
from ripieno.population.leaves import Kernels
from ripieno.population.loop import LoopStep, loop_forward
from ripieno.population.probe import few, find_leak, is_direct
from ripieno.population.remembered import Remembered
from ripieno.population.signature import signature
from ripieno.population.stack import Layout
from ripieno.population.step import Batch, Rules, StackedStep, named
from ripieno.population.template import Template
from ripieno.recipes import raise_out_of_memory

__all__ = ["Engine"]

_TRACE_SECONDS = 20.0
"""Work below which the step runs as it is: measuring kernels and tracing take seconds."""
_TIMED_STEPS = 8


class Engine:
    """Trains and evaluates stacks of one layout, in the tier that was chosen.

    Args:
        model: Any row's model; it is copied.
        layout: The stacks' layout.
        rules: What else the rows have in common.
        kernels: Remembers how leaves compute; None measures afresh.
        tier: A tier to take whatever it costs, or ``"auto"``. A forced tier that the model
            does not allow gives way to the next one below it.
        compiler: Plans what is compiled, and where; None for what this machine allows.
    """

    def __init__(
        self,
        model: nn.Module,
        layout: Layout,
        rules: Rules,
        *,
        kernels: Kernels | None = None,
        tier: Tier | Literal["auto"] = "auto",
        compiler: Compiler | None = None,
    ) -> None:
        self.layout, self.rules, self.forced = layout, rules, tier
        self.kernels = kernels if kernels is not None else Kernels()
        self._measures = self.kernels.measure
        template = Template(model, self.kernels)
        self.leaves = StackedStep(template, layout, rules)
        self._vmap = replace(self.leaves, leaves="needed")
        fused = Template(model, Kernels(forced=self.kernels.forced, measure=False, compiled=True))
        self._fused = StackedStep(fused, layout, rules)
        planner = compiler if compiler is not None else Compiler(Remembered())
        self._compiled = CompiledTier(self._fused, self.kernels, signature(model), planner)
        self._loop = LoopStep.of(model, layout, rules)
        self._graphs: dict[tuple[str, str], Graph] = {}
        self.choice: Choice | None = None
        self._tried = False

    def step(
        self,
        arrays: Mapping[str, Tensor],
        batch: Batch,
        *,
        generator_seeds: Sequence[int] | None = None,
    ) -> None:
        """Train every active row on its batch, in place.

        Args:
            arrays: The arrays of a stack and of ``fresh_statistics``.
            batch: See ``Batch``.
            generator_seeds: What the loop tier seeds torch's generator with, for each row.
        """
        tier = self.decide(arrays, batch).tier if self.choice is None else self.choice.tier
        if tier == "compiled" and not self._compiled.has(arrays, batch):
            tier = "traced"  # a short last batch is not worth a compilation of its own
        if tier in {"loop", "alone"}:
            self._loop(arrays, batch, generator_seeds=generator_seeds)
        else:
            self._function(tier, arrays, batch)(arrays, batch)

    def decide(
        self,
        arrays: Mapping[str, Tensor],
        batch: Batch,
        *,
        steps_left: float = 0.0,
        alone: Callable[[], float] | None = None,
    ) -> Choice:
        """Choose the tier for a stack and full batches of these shapes, and keep it.

        Args:
            arrays: The arrays of a stack and of ``fresh_statistics``; left unchanged.
            batch: A full batch.
            steps_left: How many such steps are to come, which compiling must be worth.
            alone: Times a step of one model in the trainer, in seconds; None where the rows
                must stay together.
        """
        choice = self._decide(arrays, batch, steps_left)
        if self.forced == "auto" and alone is not None and choice.reason != MEANWHILE:
            if choice.tier not in choice.seconds:
                choice = replace(choice, seconds=self._measure((choice.tier,), arrays, batch)[0])
            choice = rather_alone(choice, members=len(batch["active"]), alone=alone)
        self.choice = choice
        return choice

    def seconds(self, tier: Tier, arrays: Mapping[str, Tensor], batch: Batch) -> float:
        """Time a step of a tier, on copies; infinite if it fails."""
        self.kernels.measure = self._measures and tier == "traced"
        return self._measure((tier,), arrays, batch)[0].get(tier, float("inf"))

    def _decide(self, arrays: Mapping[str, Tensor], batch: Batch, steps_left: float) -> Choice:
        if self.forced == "loop":
            return Choice("loop", "forced")
        self.kernels.measure = False
        if self.forced != "vmap":
            self.try_direct(arrays, batch)
        reason = self._obstacle(arrays, batch)
        if reason is not None:
            return Choice("loop", reason)
        if self.forced == "auto" and self.direct:
            little = self._little(arrays, batch, steps_left)
            if little is not None:
                return little
        self.kernels.measure = self._measures
        if self.forced != "auto":
            return self._force(self.forced, arrays, batch)
        seconds, failed = self._measure(("traced", "leaves", "loop"), arrays, batch)
        # Where even the loop fails, the step will raise what the user must see.
        best = min(seconds, key=seconds.__getitem__, default="loop")
        if best == "leaves" and seconds.get("traced", float("inf")) < 1.1 * seconds["leaves"]:
            best = "traced"  # as fast, but for noise, and what is compiled
        if best != "traced":
            return Choice(_tier(best), f"{failed}it is the fastest", seconds)
        return self._compile(arrays, batch, seconds=seconds, steps_left=steps_left)

    @property
    def direct(self) -> bool:
        """Whether the leaves are computed without vmap."""
        return self.leaves.template.direct

    def try_direct(self, arrays: Mapping[str, Tensor], batch: Batch) -> None:
        """Compute without vmap from now on, if that gives what the model itself gives."""
        if self._tried:
            return
        self._tried = True
        self.kernels.measure = False
        own, some = few(arrays, batch, rules=self.rules)
        right = is_direct(self.leaves, self._loop.module, arrays=own, batch=some)
        self.leaves.template.direct = self._fused.template.direct = right

    def _little(
        self, arrays: Mapping[str, Tensor], batch: Batch, steps_left: float
    ) -> Choice | None:
        """Choose the leaves where little work is left; None where a probe is worth its cost.

        Then no kernel is measured either: the likely winners are taken.
        """
        own = _copies(arrays)
        try:
            self.leaves(own, batch)
            begin = time.perf_counter()
            self.leaves(own, batch)
        except Exception as error:  # noqa: BLE001 - a user's forward may raise anything
            raise_out_of_memory(error)
            return None
        seconds = time.perf_counter() - begin
        if steps_left * seconds > _TRACE_SECONDS:
            return None
        words = f"{steps_left * seconds:.1f} s of work are too few to be worth a trace"
        return Choice("leaves", words, {"leaves": seconds}, lasting=False)

    def _compile(
        self,
        arrays: Mapping[str, Tensor],
        batch: Batch,
        *,
        seconds: dict[str, float],
        steps_left: float,
    ) -> Choice:
        traced = self._traced(arrays, batch)
        work = steps_left * seconds["traced"]
        words = self._compiled.wait(arrays, batch, traced=traced, work=work)
        if words is not None:
            return Choice("traced", words, seconds)
        return self._take_up(arrays, batch, seconds=seconds)

    def catch_up(self, arrays: Mapping[str, Tensor], batch: Batch, *, epoch: int) -> None:
        """Take up what was compiled meanwhile; between epochs, where nothing is half done.

        Args:
            arrays: The arrays of a stack and of ``fresh_statistics``; left unchanged.
            batch: A full batch.
            epoch: Number of the epoch that begins, for the reason.
        """
        if self.choice is None or self.choice.tier != "traced":
            return
        seconds = dict(self.choice.seconds)
        try:
            if self._compiled.ready(arrays, batch):
                found = self._take_up(arrays, batch, seconds=seconds)
                self.choice = replace(found, reason=f"from epoch {epoch} on: {found.reason}")
        except RuntimeError as error:
            raise_out_of_memory(error)
            self.choice = Choice("traced", f"compiling failed with {_words(error)}", seconds)

    def _take_up(
        self, arrays: Mapping[str, Tensor], batch: Batch, *, seconds: dict[str, float]
    ) -> Choice:
        """Compile the step now, and take it if it is faster."""
        try:
            again, words = self._compiled.take_up(
                arrays, batch, measure=lambda: self._measure(("compiled", "traced"), arrays, batch)
            )
        except Exception as error:  # noqa: BLE001 - a compiler may raise anything
            raise_out_of_memory(error)
            return Choice("traced", f"compiling failed with {_words(error)}", seconds)
        return Choice(_tier(min(again, key=again.__getitem__)), words, seconds | again)

    def _force(self, tier: Tier, arrays: Mapping[str, Tensor], batch: Batch) -> Choice:
        """Take the tier, or the first one below it that works."""
        failed = ""
        for lower in TIERS[TIERS.index(tier) : -1]:
            try:
                self._function(lower, arrays, batch)(_copies(arrays), batch)
            except Exception as error:  # noqa: BLE001 - a user's forward may raise anything
                raise_out_of_memory(error)
                failed += f"{lower} failed with {_words(error)}; "
            else:
                return Choice(lower, f"{failed}forced")
        return Choice("loop", f"{failed}it always works")

    def _obstacle(self, arrays: Mapping[str, Tensor], batch: Batch) -> str | None:
        """Say why the model cannot be stacked, or None: a few rows are tried."""
        if next(iter(named(arrays, "model/").values()), None) is None:
            return "the model has no parameters"
        own, some = few(arrays, batch, rules=self.rules)
        try:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                leak = find_leak(self._vmap if self.forced == "vmap" else self.leaves, own, some)
        except Exception as error:  # noqa: BLE001 - a user's forward may raise anything
            raise_out_of_memory(error)
            return f"it cannot be stacked: {_words(error)}"
        slow = [str(w.message) for w in heard if "batching rule" in str(w.message)]
        if slow:
            return f"vmap would run row by row anyway: {slow[0].split('. ')[0]}"
        return leak

    def _measure(
        self, tiers: Sequence[Tier], arrays: Mapping[str, Tensor], batch: Batch
    ) -> tuple[dict[str, float], str]:
        """Time a step of each tier, on copies; say which ones failed, and how."""
        own, runs, failed = _copies(arrays), {}, ""
        for tier in tiers:
            try:
                run = self._function(tier, arrays, batch)
                run(own, batch)
            except Exception as error:  # noqa: BLE001 - forwards and compilers raise anything
                raise_out_of_memory(error)
                failed += f"{tier} failed with {_words(error)}; "
            else:
                runs[tier] = run
        seconds = dict.fromkeys(runs, float("inf"))
        # In turns, so that what else the machine does hits all alike.
        for turn in range(_TIMED_STEPS):
            for tier, run in runs.items():
                # What is many times slower need not be known exactly.
                if turn < 2 or seconds[tier] < 3 * min(seconds.values()):
                    start = time.perf_counter()
                    run(own, batch)
                    seconds[tier] = min(seconds[tier], time.perf_counter() - start)
        return {str(tier): best for tier, best in seconds.items()}, failed

    def _function(self, tier: Tier, arrays: Mapping[str, Tensor], batch: Batch) -> Function:
        """Return the step of a tier for these shapes, made now if it is new."""
        plain: dict[Tier, Function] = {
            "vmap": self._vmap,
            "leaves": self.leaves,
            "loop": self._loop,
        }
        if tier in plain:
            return plain[tier]
        if tier == "traced":
            return self._traced(arrays, batch)
        if not self._compiled.has(arrays, batch):
            self.leaves(_copies(arrays), batch)  # kernels are measured here, never in a trace
        return self._compiled.graph(arrays, batch)

    def _traced(self, arrays: Mapping[str, Tensor], batch: Batch) -> Graph:
        key = ("traced", shapes(arrays, batch))
        if key not in self._graphs:
            self.leaves(_copies(arrays), batch)
            self._graphs[key] = traced(self.leaves, arrays, batch)
        return self._graphs[key]

    def predict(self, arrays: Mapping[str, Tensor], x: Tensor, *, shared: bool = True) -> Tensor:
        """Return every row's outputs in evaluation mode, ``(members, batch, ...)``.

        Args:
            arrays: The arrays of a stack.
            x: Inputs ``(batch, ...)``, or ``(members, batch, ...)`` if not ``shared``.
            shared: Whether all rows see the same inputs.
        """
        stack = {n: a for n, a in arrays.items() if n.startswith(("model/", "number/", "steps"))}
        tier = "loop" if self.choice is None else self.choice.tier
        if tier in {"loop", "alone"}:
            return loop_forward(self._loop.module, stack, x, shared=shared)
        step = self._vmap if tier == "vmap" else self.leaves

        def forward(arrays: Mapping[str, Tensor], batch: Batch) -> Tensor:
            with torch.no_grad():
                return step.template.forward(
                    named(arrays, "model/"),
                    batch["x"],
                    members=len(arrays["steps"]),
                    numbers=named(arrays, "number/"),
                    training=False,
                    shared=shared,
                    leaves=step.leaves,
                )

        batch = {"x": x}
        if tier in {"vmap", "leaves"}:
            return forward(stack, batch)
        key = ("predict", shapes(stack, batch))
        if key not in self._graphs:
            forward(stack, batch)
            self._graphs[key] = traced(forward, stack, batch)
        out: Tensor = self._graphs[key](stack, batch)
        return out


def _copies(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: array.clone() for name, array in arrays.items()}


def _tier(name: str) -> Tier:
    return next(tier for tier in TIERS if tier == name)


def _words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])}"[:200]
