"""Searches by gradient whose supernets are the rows of one stack.

The gates of a supernet are buffers of the module that is stacked, so that they have an axis for
members as its weights do. A step asks every row for its gates and its batch, takes gradients of
the sum of the rows' losses, and hands each row the gradient of its own gates.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ripieno.errors import SearchError
from ripieno.nas.cells import Gates
from ripieno.nas.collapse import Guard, dominant_eigenvalues
from ripieno.nas.relaxations import Alphas
from ripieno.nas.rows import Restart, Row
from ripieno.nas.supernet import Mixed, Supernet
from ripieno.nas.weights import Batch
from ripieno.population import Function, OpenModules

__all__ = ["StackedSearch"]

Tensors = Mapping[str, Tensor]


class StackedSearch:
    """Several searches of one method, taken together.

    Args:
        rows: The searches; all take the same epochs of the same batches' size.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = list(rows)
        hyper = {
            "momentum": [row.shared.settings.momentum for row in rows],
            "weight_decay": [row.shared.settings.weight_decay for row in rows],
            "gradient_clip": [row.shared.settings.clip for row in rows],
        }
        numbers = {name: torch.tensor(values).double() for name, values in hyper.items()}
        self._stack = OpenModules(
            [_Gated(row.shared.net, row.average_gates(row.alphas)) for row in rows], numbers
        )
        self._graphs: dict[str, Function] = {}

    def run(self, guard: Guard | None) -> list[Restart | SearchError]:
        """Make the searches, each until its end."""
        ended: list[Restart | SearchError] = []
        while self._rows:
            ended += self._epoch(guard)
        return ended

    def _epoch(self, guard: Guard | None) -> list[Restart | SearchError]:
        """Take an epoch of every row, and let go of those whose last one it was."""
        rows = self._rows
        held: Tensors = {}
        sums, steps = torch.zeros(len(rows), dtype=torch.float64), 0
        for pairs in zip(*(row.epoch_batches() for row in rows), strict=True):
            batch, held = (_stacked_batch([pair[half] for pair in pairs]) for half in (0, 1))
            if rows[0].moves_alphas:
                self._move_alphas(held)
            sums += self._move_weights(batch)
            steps += 1
        losses, eigenvalues = self._look(held)
        ended: dict[int, Restart | SearchError] = {}
        for place, row in enumerate(rows):
            train_loss = float(sums[place]) / steps
            if not math.isfinite(train_loss):
                ended[place] = row.shared.not_finite(train_loss)
                continue
            found = row.end_epoch(train_loss, losses[place], eigenvalues[place], guard=guard)
            if found is not None:
                weights = self._stack.weights(place)
                row.take({name.removeprefix("net."): w for name, w in weights.items()})
                ended[place] = row.judged(found)
        left = [place for place in range(len(rows)) if place not in ended]
        if ended and left:
            self._stack.select(left)
            self._graphs.clear()  # they are of another width
        self._rows = [rows[place] for place in left]
        return list(ended.values())

    def _move_weights(self, batch: Tensors) -> Tensor:
        """Take a step of the weights, and return the losses before it."""
        with torch.no_grad():
            gates = self._gates()
        losses, *slopes = self._run("weights", {**batch, **gates})
        rates = torch.tensor([row.rate for row in self._rows])
        gradients = dict(zip(self._stack.params, slopes, strict=True))
        self._stack.apply(gradients, losses=losses, rates=rates)
        return losses.double()

    def _move_alphas(self, held: Tensors) -> None:
        """Take a step of the alphas of every row."""
        gates = self._gates()
        seen = {name: gate.detach() for name, gate in gates.items()}
        _, *slopes = self._run("gates", {**held, **seen})
        # The rest of the chain rule: from the gates to the alphas.
        parts = [(gate * s).sum() for gate, s in zip(gates.values(), slopes, strict=True)]
        parts += [row.penalty() for row in self._rows]
        torch.autograd.backward(torch.stack(parts).sum())
        for row in self._rows:
            row.step_alphas()

    def _look(self, held: Tensors) -> tuple[list[float], list[float]]:
        """Return the losses on a batch without sampling, and the dominant eigenvalues."""

        def losses(alphas: Sequence[Alphas]) -> Tensor:
            own = [row.average_gates(a) for row, a in zip(self._rows, alphas, strict=True)]
            return self._losses({**self._stack.params, **_stacked_gates(own)}, held)

        at = [row.alphas for row in self._rows]
        starts = [row.starts() for row in self._rows]
        with torch.no_grad():
            values = losses(at).tolist()
        return values, dominant_eigenvalues(lambda a: losses(a).sum(), at, starts=starts)

    def _gates(self) -> Tensors:
        return _stacked_gates([row.gates() for row in self._rows])

    def _losses(self, tensors: Tensors, batch: Tensors) -> Tensor:
        """Return the loss of each row, ``(members,)``."""
        y = batch["y"]
        outputs = self._stack.forward(tensors, batch["x"])
        losses = F.cross_entropy(outputs.flatten(0, 1), y.flatten(), reduction="none")
        return losses.view(y.shape).mean(1)

    def _run(self, of: Literal["weights", "gates"], batch: Tensors) -> Sequence[Tensor]:
        """Return the losses of a batch that holds gates, and their gradients by one of both."""
        if of not in self._graphs:
            slopes = self._weight_slopes if of == "weights" else self._gate_slopes
            self._graphs[of] = self._stack.recorded(slopes, batch)
        found: Sequence[Tensor] = self._graphs[of](self._stack.params, batch)
        return found

    def _weight_slopes(self, params: Tensors, batch: Tensors) -> Sequence[Tensor]:
        own = {name: p.detach().requires_grad_() for name, p in params.items()}
        return self._slopes(own, {**own, **_gates_of(batch)}, batch)

    def _gate_slopes(self, params: Tensors, batch: Tensors) -> Sequence[Tensor]:
        own = {name: gate.detach().requires_grad_() for name, gate in _gates_of(batch).items()}
        return self._slopes(own, {**params, **own}, batch)

    def _slopes(self, by: Tensors, tensors: Tensors, batch: Tensors) -> Sequence[Tensor]:
        with torch.enable_grad():
            losses = self._losses(tensors, batch)
            slopes = torch.autograd.grad(losses.sum(), list(by.values()))
        return losses.detach(), *slopes


class _Gated(nn.Module):
    """A supernet as a module of images alone: the gates are buffers.

    Args:
        net: The supernet; from now on it computes all of its operations.
        gates: Of the shapes that they will have.
    """

    def __init__(self, net: Supernet, gates: Mapping[str, Gates]) -> None:
        super().__init__()
        self.net = net
        for module in net.modules():
            if isinstance(module, Mixed):
                module.whole = True
        for name, gate in _named(gates).items():
            self.register_buffer(name, gate.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs ``(batch, classes)``."""
        buffers = dict(self.named_buffers(recurse=False))
        gates = {
            kind: Gates(buffers[_OPERATIONS + kind], buffers.get(_EDGES + kind))
            for kind in self.net.cell_layout.kinds
        }
        out: Tensor = self.net(x, gates)
        return out


_OPERATIONS, _EDGES = "operations_", "edges_"


def _named(gates: Mapping[str, Gates]) -> Tensors:
    """Return gates as the buffers of a :class:`_Gated`."""
    named: dict[str, Tensor] = {_OPERATIONS + k: own.operations for k, own in gates.items()}
    return named | {_EDGES + k: own.edges for k, own in gates.items() if own.edges is not None}


def _gates_of(batch: Tensors) -> Tensors:
    return {name: t for name, t in batch.items() if name not in {"x", "y"}}


def _stacked_gates(rows: Sequence[Mapping[str, Gates]]) -> Tensors:
    named = [_named(gates) for gates in rows]
    return {name: torch.stack([row[name] for row in named]) for name in named[0]}


def _stacked_batch(rows: Sequence[Batch]) -> Tensors:
    return {"x": torch.stack([x for x, _ in rows]), "y": torch.stack([y for _, y in rows])}
