"""How a stack is computed: from one row after another up to one compiled graph.

====================  ====================================================================
``compiled``          the whole step as one graph, compiled; full batches only
``traced``            forward, loss and gradient as a flat graph of plain operations
``leaves``            the forward with member-aware leaves: once, on stand-ins for tensors,
                      where every function is known to treat rows alone, else under vmap
``vmap``              the forward under vmap, with those leaves alone that numbers need
``loop``              one row after another through an ordinary module; it always works
``alone``             no stack at all: large models are faster in the one-model trainer
====================  ====================================================================

A model that cannot be stacked is no error: it is trained in the loop, and the reason is kept.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from ripieno.population.choice import (
    TIERS,
    Choice,
    Tier,
    rather_alone,
    recorded_before,
    tier_of,
    words_of,
)
from ripieno.population.compiled import MEANWHILE, CompiledTier
from ripieno.population.compiler import Compiler
from ripieno.population.copies import Kind, copied, kind_of, timed
from ripieno.population.graphs import Function, Graph, shapes
from ripieno.population.leaves import Kernels
from ripieno.population.loop import LoopStep, loop_forward
from ripieno.population.probe import few, is_direct, obstacle
from ripieno.population.recorded_step import RecordedStep
from ripieno.population.recording import recorded
from ripieno.population.remembered import Remembered
from ripieno.population.signature import signature
from ripieno.population.stack import Layout, arrays_apart
from ripieno.population.step import Batch, Rules, StackedStep, named
from ripieno.population.template import Template
from ripieno.recipes import raise_out_of_memory

__all__ = ["Engine"]

_MEASURE_SECONDS = 20.0
"""Work below which no kernel is measured and nothing compiled, which take seconds."""
_RECORDED_STEPS = 24
"""Steps of one shape that are worth being recorded, which costs about as many of them."""
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
        self._fused = StackedStep(fused, layout, rules, eager=False)
        planner = compiler if compiler is not None else Compiler(Remembered())
        self._compiled = CompiledTier(self._fused, self.kernels, signature(model), planner)
        self._loop = LoopStep.of(model, layout, rules)
        self._recorded: dict[Kind, Function] = {}
        self._forwards: dict[str, Graph] = {}
        self._runs: dict[tuple[Tier, Kind], Function] = {}
        self._seen: Counter[object] = Counter()
        self.choice: Choice | None = None
        self._tried = self._fits = False

    def step(
        self,
        arrays: Mapping[str, Tensor],
        batch: Batch,
        *,
        generator_seeds: Callable[[], Sequence[int]] | None = None,
    ) -> None:
        """Train every active row on its batch, in place.

        Args:
            arrays: The arrays of a stack and of ``fresh_statistics``.
            batch: See ``Batch``.
            generator_seeds: Gives what the loop tier seeds torch's generator with, for each row.
        """
        tier = self.decide(arrays, batch).tier if self.choice is None else self.choice.tier
        if tier in {"loop", "alone"}:
            seeds = None if generator_seeds is None else generator_seeds()
            self._loop(arrays, batch, generator_seeds=seeds)
        else:
            self._run_of(tier, arrays, batch)(arrays, batch)

    def _run_of(self, tier: Tier, arrays: Mapping[str, Tensor], batch: Batch) -> Function:
        """Return what computes a step of a tier; shapes that are rare are not recorded."""
        kind = kind_of(arrays, batch)
        run = self._runs.get((tier, kind))
        if run is not None:
            return run
        if tier == "compiled" and self._compiled.has(arrays, batch):
            run = self._compiled.graph(arrays, batch)
        elif tier in {"compiled", "traced"} or (self.choice and not self.choice.lasting):
            # A short last batch is not compiled; few steps of many orders are many.
            self._seen[kind] += 1
            if kind not in self._recorded and self._seen[kind] < _RECORDED_STEPS:
                return self.leaves
            run = self._traced_or_leaves(arrays, batch)
        else:
            run = self._function(tier, arrays, batch)
        self._runs[tier, kind] = run
        return run

    def _traced_or_leaves(self, arrays: Mapping[str, Tensor], batch: Batch) -> Function:
        try:
            return self._traced(arrays, batch)
        except Exception as error:  # noqa: BLE001 - a user's forward may raise anything
            raise_out_of_memory(error)
            return self.leaves

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
        if not self._fits:
            reason = obstacle(self._vmap if self.forced == "vmap" else self.leaves, arrays, batch)
            if reason is not None:
                return Choice("loop", reason)
            self._fits = True
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
            return Choice(tier_of(best), f"{failed}it is the fastest", seconds)
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
        """Choose where little work is left; None where measuring everything is worth its cost.

        Then no kernel is measured either: the likely winners are taken.
        """
        if self.choice is not None and kind_of(arrays, batch) in self._recorded:
            known = recorded_before(self.choice, steps_left, most=_MEASURE_SECONDS)
            if known is not None:
                return known
        own = copied(arrays)
        try:
            seconds = {"leaves": min(timed(self.leaves, own, batch) for _ in range(2))}
        except Exception as error:  # noqa: BLE001 - a user's forward may raise anything
            raise_out_of_memory(error)
            return None
        work = steps_left * seconds["leaves"]
        if work > _MEASURE_SECONDS:
            return None
        if steps_left < _RECORDED_STEPS:
            words = f"{steps_left:.0f} steps are too few to be worth a trace"
            return Choice("leaves", words, seconds, lasting=False)
        try:
            step = self._traced(arrays, batch)
            seconds["traced"] = min(timed(step, own, batch) for _ in range(2))
        except Exception as error:  # noqa: BLE001 - a user's forward may raise anything
            raise_out_of_memory(error)
            return Choice("leaves", f"traced failed with {words_of(error)}", seconds, lasting=False)
        words = f"{work:.1f} s of work are too few to be worth compiling"
        return Choice("traced", words, seconds, lasting=False)

    def _compile(
        self,
        arrays: Mapping[str, Tensor],
        batch: Batch,
        *,
        seconds: dict[str, float],
        steps_left: float,
    ) -> Choice:
        work = steps_left * seconds["traced"]
        whole = recorded(replace(self.leaves, eager=False), arrays_apart(arrays), batch)
        words = self._compiled.wait(arrays_apart(arrays), batch, nodes=whole.nodes, work=work)
        if words is not None:
            return Choice("traced", words, seconds)
        return self._take_up(arrays, batch, seconds=seconds)

    def catch_up(self, arrays: Mapping[str, Tensor], batch: Batch, *, epoch: int) -> bool:
        """Take up what was compiled meanwhile; between epochs, where nothing is half done.

        Args:
            arrays: The arrays of a stack and of ``fresh_statistics``; left unchanged.
            batch: A full batch.
            epoch: Number of the epoch that begins, for the reason.

        Returns:
            Whether another tier was chosen.
        """
        if self.choice is None or self.choice.tier != "traced" or not self._compiled.waits:
            return False
        seconds = dict(self.choice.seconds)
        try:
            if self._compiled.ready(arrays_apart(arrays, device="meta"), batch):
                found = self._take_up(arrays, batch, seconds=seconds)
                self.choice = replace(found, reason=f"from epoch {epoch} on: {found.reason}")
        except RuntimeError as error:
            raise_out_of_memory(error)
            self.choice = Choice("traced", f"compiling failed with {words_of(error)}", seconds)
        return self.choice.tier != "traced"

    def _take_up(
        self, arrays: Mapping[str, Tensor], batch: Batch, *, seconds: dict[str, float]
    ) -> Choice:
        """Compile the step now, and take it if it is faster."""
        try:
            again, words = self._compiled.take_up(
                arrays_apart(arrays),
                batch,
                measure=lambda: self._measure(("compiled", "traced"), arrays, batch),
            )
        except Exception as error:  # noqa: BLE001 - a compiler may raise anything
            raise_out_of_memory(error)
            return Choice("traced", f"compiling failed with {words_of(error)}", seconds)
        return Choice(tier_of(min(again, key=again.__getitem__)), words, seconds | again)

    def _force(self, tier: Tier, arrays: Mapping[str, Tensor], batch: Batch) -> Choice:
        """Take the tier, or the first one below it that works."""
        failed = ""
        for lower in TIERS[TIERS.index(tier) : -1]:
            try:
                own = arrays_apart(arrays) if lower == "compiled" else copied(arrays)
                self._function(lower, own, batch)(own, batch)
            except Exception as error:  # noqa: BLE001 - a user's forward may raise anything
                raise_out_of_memory(error)
                failed += f"{lower} failed with {words_of(error)}; "
            else:
                return Choice(lower, f"{failed}forced")
        return Choice("loop", f"{failed}it always works")

    def _measure(
        self, tiers: Sequence[Tier], arrays: Mapping[str, Tensor], batch: Batch
    ) -> tuple[dict[str, float], str]:
        """Time a step of each tier, on copies; say which ones failed, and how."""
        runs: dict[Tier, tuple[Function, dict[str, Tensor]]] = {}
        failed = ""
        for tier in tiers:
            own = arrays_apart(arrays) if tier == "compiled" else copied(arrays)
            try:
                run = self._function(tier, own, batch)
                run(own, batch)
            except Exception as error:  # noqa: BLE001 - forwards and compilers raise anything
                raise_out_of_memory(error)
                failed += f"{tier} failed with {words_of(error)}; "
            else:
                runs[tier] = run, own
        seconds = dict.fromkeys(runs, float("inf"))
        # In turns, so that what else the machine does hits all alike.
        for turn in range(_TIMED_STEPS):
            for tier, (run, own) in runs.items():
                # What is many times slower need not be known exactly.
                if turn < 2 or seconds[tier] < 3 * min(seconds.values()):
                    seconds[tier] = min(seconds[tier], timed(run, own, batch))
        return {str(tier): best for tier, best in seconds.items()}, failed

    def _function(self, tier: Tier, arrays: Mapping[str, Tensor], batch: Batch) -> Function:
        """Return the step of a tier for these shapes, made now if it is new."""
        if tier == "traced":
            return self._traced(arrays, batch)
        if tier != "compiled":
            return self._loop if tier == "loop" else self._vmap if tier == "vmap" else self.leaves
        if not self._compiled.has(arrays, batch):
            self.leaves.find(arrays, batch)  # kernels are measured here, never in a trace
        return self._compiled.graph(arrays, batch)

    def _traced(self, arrays: Mapping[str, Tensor], batch: Batch) -> Function:
        kind = kind_of(arrays, batch)
        if kind not in self._recorded:
            self.leaves.find(arrays, batch)  # kernels are measured here, never in a recording
            module = self.leaves.template.module
            step = RecordedStep.of(self.leaves.find, arrays, batch, module=module)
            self._recorded[kind] = partial(self.leaves.take, step.find)
        return self._recorded[kind]

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
        key = shapes(stack, batch)
        if key not in self._forwards:
            self._seen[key] += 1
            out = forward(stack, batch)
            if self._seen[key] < _RECORDED_STEPS:
                return out
            self._forwards[key] = recorded(forward, stack, batch, module=step.template.module)
        answers: Tensor = self._forwards[key](stack, batch)
        return answers
