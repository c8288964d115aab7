"""Cells and the networks that are made of them, whatever stands on their edges.

A network made of one config has one operation on an edge, a supernet a mixture of all. What
is around them is the same, and is said here once.

Source: the networks of NAS-Bench-201 (Dong and Yang, ICLR 2020, section 2.1) and of DARTS
(Liu, Simonyan and Yang, ICLR 2019, appendix A), without its auxiliary head.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor, nn

from ripieno.nas.heads import Head, halved
from ripieno.nas.layouts import Edge, Layout
from ripieno.nas.operations import FactorizedReduce, Place, convolution

__all__ = ["Cell", "Gates", "MakeEdge", "Trunk", "build_trunk"]

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
        # Plain numbers, by which the engine sees that two cells are alike.
        self.kind, self.joins, self.inner = kind, layout.pairs, tuple(layout.inner)
        self.links = tuple(
            (number, *edge) for number, edge in enumerate(layout.edges) if edge in edges
        )
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
        given = (before, now)[-len(self.prepare) :]
        nodes = [module(x) for module, x in zip(self.prepare, given, strict=True)]
        own = None if gates is None else gates[self.kind]
        for node in self.inner:
            parts = [
                self._along(link, nodes[link[1]], own) for link in self.links if link[2] == node
            ]
            # Zeros that hang on the input: a network without an edge has a gradient too.
            nodes.append(sum(parts[1:], parts[0]) if parts else nodes[0] * 0.0)
        return torch.cat(nodes[self.inner[0] :], dim=1) if self.joins else nodes[-1]

    def _along(self, link: tuple[int, int, int], x: Tensor, gates: Gates | None) -> Tensor:
        number, source, target = link
        edge = self.edges[f"{source}_{target}"]
        if gates is None:
            out: Tensor = edge(x)
            return out
        mixed: Tensor = edge(x, gates.operations[number])
        return mixed if gates.edges is None else gates.edges[number] * mixed


class Trunk(nn.Module):
    """A stem, cells with reductions between them, and a head; :func:`build_trunk` makes it.

    Args:
        stem: From images to the first maps.
        layers: Each is called with what the two before it gave, and with the gates.
        head: From the last maps to outputs.
    """

    def __init__(self, stem: nn.Module, layers: Sequence[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.stem, self.layers, self.head = stem, nn.ModuleList(layers), head

    def forward(self, x: Tensor, gates: Mapping[str, Gates] | None = None) -> Tensor:
        """Return outputs ``(batch, classes)`` for images ``(batch, channels, height, width)``."""
        now = before = self.stem(x)
        for layer in self.layers:
            before, now = now, layer(before, now, gates)
        out: Tensor = self.head(now)
        return out


def build_trunk(
    layout: Layout,
    numbers: Mapping[str, int],
    *,
    edges: Mapping[str, Mapping[Edge, MakeEdge]],
    shape: tuple[int, ...],
    classes: int,
    head: Head,
    searching: bool = False,
) -> Trunk:
    """Return an untrained network of cells.

    Args:
        layout: What the cells look like.
        numbers: ``filters``, ``cells`` and, for one input a cell, ``stages``.
        edges: By kind of cell, what makes the module of each edge that there is.
        shape: ``(channels, height, width)`` of one image.
        classes: Number of outputs.
        head: What makes outputs of the last maps.
        searching: Whether the edges are mixtures: then norms keep no running statistics, and
            those of cells learn no scale and no shift.
    """
    plan = _Plan(layout, numbers, edges, searching=searching)
    first = _STEM * numbers["filters"] if layout.pairs else numbers["filters"]
    stem = nn.Sequential(nn.Conv2d(shape[0], first, 3, padding=1, bias=False), plan.norm(first))
    layers, last = plan.pairs() if layout.pairs else plan.stages()
    before: list[nn.Module] = [] if layout.pairs else [plan.norm(last), nn.ReLU()]
    behind = head.build(last, halved(shape, plan.halvings), classes)
    return Trunk(stem, layers, nn.Sequential(*before, *behind))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What :func:`build_trunk` is told; kept out of the module, which is plain numbers."""

    layout: Layout
    numbers: Mapping[str, int]
    edges: Mapping[str, Mapping[Edge, MakeEdge]]
    _: KW_ONLY
    searching: bool

    def norm(self, channels: int) -> nn.Module:
        return Place(channels, statistics=not self.searching).norm()

    def at(self, channels: int, stride: int = 1) -> Place:
        return Place(channels, stride, not self.searching, not self.searching)

    @property
    def halvings(self) -> int:
        """How often height and width are halved."""
        return len(self.reductions) if self.layout.pairs else self.numbers["stages"] - 1

    @property
    def reductions(self) -> set[int]:
        """Which cells halve, where cells do."""
        count = self.numbers["cells"]
        return {count // 3, 2 * count // 3}

    def stages(self) -> tuple[list[nn.Module], int]:
        """Return stages of cells with a residual block between them, and the last channels."""
        layers: list[nn.Module] = []
        channels = self.numbers["filters"]
        for stage in range(self.numbers["stages"]):
            if stage > 0:
                layers.append(_Halving(channels, self.at(2 * channels, 2)))
                channels *= 2
            layers += [
                self.cell("normal", [nn.Identity()], self.at(channels))
                for _ in range(self.numbers["cells"])
            ]
        return layers, channels

    def pairs(self) -> tuple[list[nn.Module], int]:
        """Return cells that read the two before them, and the last channels."""
        channels, count = self.numbers["filters"], self.numbers["cells"]
        layers: list[nn.Module] = []
        before = now = _STEM * channels
        halved = False  # whether the input before the last one is twice as large
        for number in range(count):
            reduces = number in self.reductions
            channels *= 2 if reduces else 1
            place = self.at(channels)
            first = FactorizedReduce(before, place) if halved else convolution(before, 1, place)
            prepare = [first, convolution(now, 1, place)]
            kind = "reduce" if reduces else "normal"
            layers.append(self.cell(kind, prepare, self.at(channels, 2 if reduces else 1)))
            before, now, halved = now, len(self.layout.inner) * channels, reduces
        return layers, now

    def cell(self, kind: str, prepare: Sequence[nn.Module], place: Place) -> Cell:
        inner = self.at(place.channels)
        made = {
            edge: make(place if edge[0] < self.layout.inputs else inner)
            for edge, make in self.edges[kind].items()
        }
        return Cell(self.layout, kind, prepare=prepare, edges=made)


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
