"""Cells and the networks that are made of them, whatever stands on their edges.

A network made of one config has one operation on an edge, a supernet a mixture of all. What
is around them is the same, and is said here once.

Source: the networks of NAS-Bench-201 (Dong and Yang, ICLR 2020, section 2.1) and of DARTS
(Liu, Simonyan and Yang, ICLR 2019, appendix A), without its auxiliary head.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ripieno.nas.layouts import Edge, Layout
from ripieno.nas.operations import FactorizedReduce, Place, convolution

__all__ = ["Cell", "Gates", "MakeEdge", "Trunk"]

MakeEdge = Callable[[Place], nn.Module]
"""Makes what stands on an edge."""

_STEM = 3
"""Channels of the stem of DARTS, in units of a node's."""


@dataclass(frozen=True, slots=True)
class Gates:
    """How much of each operation goes into each edge of a kind of cell.

    Args:
        operations: Shape ``(edges, operations)``.
        edges: What each edge counts at its node, shape ``(edges,)``; None for one each.
    """

    operations: Tensor
    edges: Tensor | None = None


class Cell(nn.Module):
    """A graph whose nodes are sums of what its edges make of the nodes before them.

    Args:
        layout: Which nodes there are.
        kind: Which of the layout's kinds.
        prepare: What brings each input to the cell's channels and size.
        edges: What stands on the edges that there are.
    """

    def __init__(
        self,
        layout: Layout,
        kind: str,
        *,
        prepare: Sequence[nn.Module],
        edges: Mapping[Edge, nn.Module],
    ) -> None:
        super().__init__()
        self.layout, self.kind = layout, kind
        self.prepare = nn.ModuleList(prepare)
        self.edges = nn.ModuleDict({f"{s}_{t}": module for (s, t), module in edges.items()})

    def forward(
        self, before: Tensor, now: Tensor, gates: Mapping[str, Gates] | None = None
    ) -> Tensor:
        """Return the last node, or with two inputs all inner nodes side by side.

        Args:
            before: What the layer before the last one gave.
            now: What the last layer gave.
            gates: Of a supernet, by kind of cell.
        """
        given = (before, now)[-self.layout.inputs :]
        nodes = [module(x) for module, x in zip(self.prepare, given, strict=True)]
        own = None if gates is None else gates[self.kind]
        for target in range(self.layout.inputs, self.layout.nodes):
            parts = [
                self._along(number, nodes[edge[0]], own)
                for number, edge in enumerate(self.layout.edges)
                if edge[1] == target and f"{edge[0]}_{target}" in self.edges
            ]
            # Zeros that hang on the input: a network without an edge has a gradient too.
            nodes.append(sum(parts[1:], parts[0]) if parts else nodes[0] * 0.0)
        inner = nodes[self.layout.inputs :]
        return torch.cat(inner, dim=1) if self.layout.pairs else inner[-1]

    def _along(self, number: int, x: Tensor, gates: Gates | None) -> Tensor:
        source, target = self.layout.edges[number]
        edge = self.edges[f"{source}_{target}"]
        if gates is None:
            out: Tensor = edge(x)
            return out
        mixed: Tensor = edge(x, gates.operations[number])
        return mixed if gates.edges is None else gates.edges[number] * mixed


class Trunk(nn.Module):
    """A stem, cells with reductions between them, and a head.

    Args:
        layout: What the cells look like.
        numbers: ``filters``, ``cells`` and, for one input a cell, ``stages``.
        edges: By kind of cell, what makes the module of each edge that there is.
        place: What norms are like; its channels and stride are not read.
        shape: ``(channels, height, width)`` of one image.
        classes: Number of outputs.
    """

    def __init__(
        self,
        layout: Layout,
        numbers: Mapping[str, int],
        *,
        edges: Mapping[str, Mapping[Edge, MakeEdge]],
        place: Place,
        shape: tuple[int, ...],
        classes: int,
    ) -> None:
        super().__init__()
        self._layout, self._edges, self._place = layout, edges, place
        filters = numbers["filters"]
        first = _STEM * filters if layout.pairs else filters
        self.stem = nn.Sequential(
            nn.Conv2d(shape[0], first, 3, padding=1, bias=False), self._norm(first)
        )
        layers = self._pairs if layout.pairs else self._stages
        made, last = layers(filters, numbers)
        self.layers = nn.ModuleList(made)
        head: list[nn.Module] = [] if layout.pairs else [self._norm(last), nn.ReLU()]
        self.head = nn.Sequential(
            *head, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes)
        )

    def forward(self, x: Tensor, gates: Mapping[str, Gates] | None = None) -> Tensor:
        """Return outputs ``(batch, classes)`` for images ``(batch, channels, height, width)``."""
        now = before = self.stem(x)
        for layer in self.layers:
            before, now = now, layer(before, now, gates)
        out: Tensor = self.head(now)
        return out

    def _norm(self, channels: int) -> nn.Module:
        return Place(channels, statistics=self._place.statistics).norm()

    def _at(self, channels: int, stride: int = 1) -> Place:
        return Place(channels, stride, self._place.affine, self._place.statistics)

    def _stages(self, channels: int, numbers: Mapping[str, int]) -> tuple[list[nn.Module], int]:
        """Return stages of cells with a residual block between them, and the last channels."""
        layers: list[nn.Module] = []
        for stage in range(numbers["stages"]):
            if stage > 0:
                layers.append(_Halving(channels, self._at(2 * channels, 2)))
                channels *= 2
            layers += [
                self._cell("normal", [nn.Identity()], self._at(channels))
                for _ in range(numbers["cells"])
            ]
        return layers, channels

    def _pairs(self, channels: int, numbers: Mapping[str, int]) -> tuple[list[nn.Module], int]:
        """Return cells that read the two before them, and the last channels."""
        count, layers = numbers["cells"], list[nn.Module]()
        inner = self._layout.nodes - self._layout.inputs
        before = now = _STEM * channels
        halved = False  # whether the input before the last one is twice as large
        for number in range(count):
            reduces = number in {count // 3, 2 * count // 3}
            channels *= 2 if reduces else 1
            place = self._at(channels)
            first = FactorizedReduce(before, place) if halved else convolution(before, 1, place)
            layers.append(
                self._cell(
                    "reduce" if reduces else "normal",
                    [first, convolution(now, 1, place)],
                    self._at(channels, 2 if reduces else 1),
                )
            )
            before, now, halved = now, inner * channels, reduces
        return layers, now

    def _cell(self, kind: str, prepare: list[nn.Module], place: Place) -> Cell:
        inner = self._at(place.channels)
        made = {
            edge: make(place if edge[0] < self._layout.inputs else inner)
            for edge, make in self._edges[kind].items()
        }
        return Cell(self._layout, kind, prepare=prepare, edges=made)


class _Halving(nn.Module):
    """A residual block that halves height and width, rounded up.

    Args:
        channels: Of the input.
        place: Channels of the output, and what its norms are like.
    """

    def __init__(self, channels: int, place: Place) -> None:
        super().__init__()
        after = Place(place.channels, 1, place.affine, place.statistics)
        self.first = convolution(channels, 3, place)
        self.second = convolution(place.channels, 3, after)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(channels, place.channels, 1, bias=False)
        )

    def forward(self, _before: Tensor, now: Tensor, _gates: object = None) -> Tensor:
        """Return maps of half the size."""
        out: Tensor = self.shortcut(now) + self.second(self.first(now))
        return out
