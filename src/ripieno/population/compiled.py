"""The compiled tier of one engine: its graphs, and how they come about."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ripieno.population.compiler import Compiler, digest
from ripieno.population.graphs import Graph, cold_compilations, compiled, prepare, shapes
from ripieno.population.leaves import Kernels
from ripieno.population.step import Batch, StackedStep

__all__ = ["MEANWHILE", "CompiledTier"]

MEANWHILE = "it is being compiled meanwhile"

Measure = Callable[[], tuple[dict[str, float], str]]
"""Times a compiled and a traced step, by tier, and says what failed."""


@dataclass(slots=True)
class CompiledTier:
    """Compiled steps by what they were compiled for.

    Args:
        step: The step as a compiler is to see it.
        kernels: Those of the engine, which measures convolutions.
        signature: Of the model.
        compiler: Plans what is compiled, and where.
    """

    step: StackedStep
    kernels: Kernels
    signature: str
    compiler: Compiler
    _graphs: dict[str, Graph] = field(default_factory=dict)

    def has(self, arrays: Mapping[str, Tensor], batch: Batch) -> bool:
        """Say whether a step of these shapes was compiled."""
        return shapes(arrays, batch) in self._graphs

    def graph(self, arrays: Mapping[str, Tensor], batch: Batch) -> Graph:
        """Return the compiled step, made now if it is new. Kernels must be measured before."""
        shape = shapes(arrays, batch)
        if shape not in self._graphs:
            self._settle_convolutions(self._key(arrays, batch))
            self._graphs[shape] = compiled(self.step, arrays, batch)
        return self._graphs[shape]

    def wait(
        self, arrays: Mapping[str, Tensor], batch: Batch, *, nodes: int, work: float
    ) -> str | None:
        """Say why a step is not to be compiled here and now, or None if it is.

        Args:
            arrays: The arrays of a stack and of ``fresh_statistics``; left unchanged.
            batch: A full batch.
            nodes: How many operations the whole step has.
            work: Seconds that the steps to come take traced.
        """
        if batch["y"].device.type != "cpu":
            return "nothing is compiled for a GPU unasked"
        key = self._key(arrays, batch)
        words = self.compiler.obstacle(key, nodes=nodes, work=work)
        if words is not None:
            return words
        if not _has_compiler():
            return "there is no C++ compiler"
        if self.compiler.begin(key, lambda: self._prepared(arrays, batch), nodes=nodes):
            return None
        return MEANWHILE

    @property
    def waits(self) -> bool:
        """Whether something is being compiled elsewhere."""
        return self.compiler.waits

    def ready(self, arrays: Mapping[str, Tensor], batch: Batch) -> bool:
        """Say whether what was begun elsewhere is there, to be taken up now.

        Raises:
            RuntimeError: It failed, with the reason.
        """
        return self.compiler.ready(self._key(arrays, batch))

    def take_up(
        self, arrays: Mapping[str, Tensor], batch: Batch, *, measure: Measure
    ) -> tuple[dict[str, float], str]:
        """Compile a step in this process, from the cache on disk if it lies there.

        Returns:
            Seconds a step, compiled and traced, and how it went in words.

        Raises:
            Exception: Whatever the compiler raises.
        """
        key, begin, before = self._key(arrays, batch), time.perf_counter(), cold_compilations()
        try:
            self.graph(arrays, batch)
            elapsed = time.perf_counter() - begin
            cold = cold_compilations() > before
            seconds, failed = measure()
        except BaseException:
            self.compiler.give_up()
            raise
        gain = 1 - seconds.get("compiled", float("inf")) / seconds["traced"]
        self.compiler.learn(
            key,
            seconds=elapsed,
            cold=cold,
            gain=max(gain, 0.0),
            convolutions=self.step.template.kernels.choices,
        )
        how = "compiling took" if cold else "taking up what was compiled took"
        return seconds, f"{failed}{how} {elapsed:.1f} s"

    def _key(self, arrays: Mapping[str, Tensor], batch: Batch) -> str:
        """Name what is compiled, in words that mean the same in any process."""
        optimizer, rules = self.step.layout.optimizer, self.step.rules
        kind = f"{type(optimizer).__name__} {getattr(optimizer, 'nesterov', False)}"
        kind += f" {optimizer.online or ''}"
        words = f"{kind} {rules.loss} {sorted(rules.uses)} {torch.get_num_threads()} threads"
        return digest(self.signature, words, shapes(arrays, batch))

    def _prepared(self, arrays: Mapping[str, Tensor], batch: Batch) -> bytes:
        self._settle_convolutions(self._key(arrays, batch))
        return prepare(self.step, arrays, batch)

    def _settle_convolutions(self, key: str) -> None:
        """Take the kernels of convolutions as they were measured; a compiler cannot.

        Those that the graph was compiled with before go first: another measurement may find
        another one as fast, and would have the graph compiled anew.
        """
        chosen = self.kernels.choices.items()
        choices = self.step.template.kernels.choices
        choices.update({s: name for s, name in chosen if s.startswith("convolution")})
        choices.update(self.compiler.convolutions(key))


def _has_compiler() -> bool:
    names: list[str | None] = [os.environ.get("CXX"), "g++", "clang++"]
    return any(name is not None and shutil.which(name) is not None for name in names)
