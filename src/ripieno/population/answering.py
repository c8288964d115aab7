"""Trained models of one signature that answer as one stack: prediction, not training."""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ripieno.population.graphs import Graph
from ripieno.population.leaves import Kernels
from ripieno.population.probe import is_close
from ripieno.population.recording import recorded
from ripieno.population.signature import row_numbers, signature
from ripieno.population.template import Template

__all__ = ["StackedAnswers", "stack_answers"]

_LARGEST = 4_000_000
"""Numbers of one model beyond which it is not stacked: its own arithmetic takes the time then,
and the copy would take the memory."""
_OFTEN = 3
"""Answers to rows of one shape, from which on a trace (some 50 ms) is worth it."""
_MOST_GRAPHS = 8


class StackedAnswers:
    """Models that differ in nothing but numbers, run as one. Made by :func:`stack_answers`.

    Args:
        models: At least two of one signature, in evaluation mode; their tensors are copied.
        direct: Whether the forward runs without vmap.
    """

    def __init__(self, models: Sequence[nn.Module], *, direct: bool) -> None:
        rows = [{**dict(m.named_parameters()), **dict(m.named_buffers())} for m in models]
        self._tensors = {n: torch.stack([r[n].detach() for r in rows]) for n in rows[0]}
        device = next(iter(self._tensors.values())).device
        numbers = [row_numbers(model) for model in models]
        self._numbers = {
            name: torch.tensor([n[name] for n in numbers], dtype=torch.float64, device=device)
            for name in numbers[0]
        }
        self._members = len(models)
        self._template = Template(models[0], Kernels(measure=False), direct=direct)
        self._seen: Counter[tuple[object, ...]] = Counter()
        self.graphs: dict[tuple[object, ...], Graph | None] = {}
        """What is asked often, by shape, strides and type of the rows; None if it has no trace."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return every model's outputs for the same rows, ``(members, batch, outputs)``.

        Args:
            x: Inputs, ``(batch, *features)``.
        """
        with torch.no_grad():
            graph = self._graph(x)
            run = self._forward if graph is None else graph
            answers: Tensor = run(self._tensors, {"x": x})
            return answers

    def _forward(self, tensors: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Tensor:
        return self._template.forward(
            tensors, batch["x"], members=self._members, numbers=self._numbers,
            training=False, shared=True,
        )  # fmt: skip

    def _graph(self, x: Tensor) -> Graph | None:
        """Return the forward for rows of this shape as plain operations, once they are frequent."""
        kind = (x.shape, x.stride(), x.dtype)
        if kind in self.graphs or len(self.graphs) == _MOST_GRAPHS:
            return self.graphs.get(kind)
        self._seen[kind] += 1
        if self._seen[kind] < _OFTEN:
            return None
        try:
            self.graphs[kind] = recorded(
                self._forward, self._tensors, {"x": x}, module=self._template.module
            )
        except Exception:  # noqa: BLE001 - what a user's forward does may not be traceable
            self.graphs[kind] = None
        return self.graphs[kind]


def stack_answers(models: Sequence[nn.Module], x: Tensor) -> StackedAnswers | None:
    """Return models as one stack, or None where that is not possible or not worth it.

    The stack is tried on a few rows, and its answers are compared with those of the first and
    the last model themselves: a forward that draws random numbers, or that decides by what it
    sees, is left alone.

    Args:
        models: In evaluation mode.
        x: Some inputs, ``(batch, *features)``, at least one row.
    """
    sizes = [p.numel() for p in models[0].parameters()]
    if len(models) < 2 or not 0 < sum(sizes) <= _LARGEST:
        return None
    if len({signature(model) for model in models}) > 1:
        return None
    few = x[:2]
    for direct in (True, False):
        try:
            stack = StackedAnswers(models, direct=direct)
            answers = stack(few)
            with torch.no_grad():
                right = all(is_close(answers[row], models[row](few)) for row in (0, -1))
        except Exception:  # noqa: BLE001, S112 - a user's forward may raise anything
            continue
        if right:
            return stack
    return None
