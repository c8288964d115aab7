"""All architectures of a space in one network: every edge is a mixture of its operations.

Source: Liu, Simonyan and Yang, "DARTS: Differentiable architecture search", ICLR 2019; Xu et
al., "PC-DARTS: Partial channel connections", ICLR 2020 (``share``).
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ripieno.nas.cells import Gates, build_trunk
from ripieno.nas.heads import Head, settled
from ripieno.nas.layouts import Chosen, Layout, layout_of
from ripieno.nas.networks import numbers_of
from ripieno.nas.operations import FREE, IDLE, Place, operation
from ripieno.space import Config, Constant, Space

__all__ = ["Mixed", "Supernet"]


class Mixed(nn.Module):
    """A weighted sum of operations on an edge; those of weight zero are not computed.

    At least one weight is not zero. Where ``whole`` is set, all operations are computed, and no
    weight is looked at: they may then be those of many supernets at once.

    Args:
        names: Of the operations, in the order of their weights.
        place: Where they are put.
        share: One channel in so many goes through the operations; the others pass by, and
            are shuffled among those.
        normed: Whether poolings get a norm, as every other operation ends with one.
    """

    def __init__(
        self, names: tuple[str, ...], place: Place, *, share: int = 1, normed: bool = False
    ) -> None:
        super().__init__()
        self.whole = False
        self.share, self.stride = share, place.stride
        self.mixed = max(1, place.channels // share)
        inner = Place(self.mixed, place.stride, place.affine, place.statistics)
        made = [operation(name, inner) for name in names]
        self.operations = nn.ModuleList(
            nn.Sequential(module, inner.norm()) if normed and "pool" in name else module
            for name, module in zip(names, made, strict=True)
        )

    def forward(self, x: Tensor, gates: Tensor) -> Tensor:
        """Return the mixture for maps ``x``; gates have the shape ``(operations,)``."""
        part = x[:, : self.mixed]
        count = len(self.operations)
        chosen = [True] * count if self.whole else gates.detach().ne(0.0).tolist()
        parts: list[Tensor] = [
            gates[number] * module(part)
            for number, module in enumerate(self.operations)
            if chosen[number]
        ]
        out = sum(parts[1:], parts[0])
        if self.share == 1:
            return out
        passed = x[:, self.mixed :]
        if self.stride > 1:
            passed = F.max_pool2d(passed, self.stride, ceil_mode=True)
        return _shuffled(torch.cat([out, passed], dim=1), self.share)


class Supernet(nn.Module):
    """The network of all configs of :func:`cell_space` or :func:`darts_space`.

    Its weights are ordinary parameters; how much of each operation goes into each edge is
    passed to it, as :class:`Gates` by kind of cell.

    Args:
        space: Of architectures; its constants say how large the network is.
        shape: ``(channels, height, width)`` of one image.
        classes: Number of outputs.
        share: See :class:`Mixed`.

    Raises:
        SpaceError: The space is none of cells.
    """

    def __init__(
        self, space: Space, *, shape: tuple[int, ...], classes: int, share: int = 1
    ) -> None:
        super().__init__()
        self.space = space = settled(space)
        self.cell_layout = layout = layout_of(space)
        constants = {n: d.value for n, d in space.items() if isinstance(d, Constant)}

        def make(place: Place) -> nn.Module:
            return Mixed(layout.operations, place, share=share, normed=layout.pairs)

        edges = {kind: dict.fromkeys(layout.edges, make) for kind in layout.kinds}
        numbers = numbers_of(constants, layout)
        # Without dropout: a batch is to say what the operations count, and nothing else.
        head = Head(Head.read(constants).pool)
        self.trunk = build_trunk(
            layout, numbers, edges=edges, shape=shape, classes=classes, head=head, searching=True
        )

    def forward(self, x: Tensor, gates: Mapping[str, Gates]) -> Tensor:
        """Return outputs ``(batch, classes)`` for images ``(batch, channels, height, width)``."""
        out: Tensor = self.trunk(x, gates)
        return out

    def config(self, strengths: Mapping[str, Tensor]) -> Config:
        """Return the architecture of the strongest operations.

        On every edge the strongest operation is taken. Where a node has just two edges, these
        are the ones whose strongest operation, no connection left out, is the strongest.

        Args:
            strengths: By kind of cell, shape ``(edges, operations)``.

        Raises:
            SpaceError: The architecture breaks a constraint of the space.
        """
        cells = {kind: _strongest(self.cell_layout, strengths[kind]) for kind in strengths}
        return self.space.config(self.cell_layout.write(cells))

    def gates(self, config: Config) -> dict[str, Gates]:
        """Return the gates that are open for one architecture alone, by kind of cell."""
        layout = self.cell_layout
        return {kind: Gates(_opened(layout, layout.read(config, kind))) for kind in layout.kinds}

    def skips(self, config: Config) -> int:
        """Return how many edges of the first kind of cell are shortcuts or are not there."""
        return self._counted(config, FREE)

    def idle(self, config: Config) -> int:
        """Return how many edges of the first kind of cell learn nothing, poolings among them."""
        return self._counted(config, IDLE)

    def _counted(self, config: Config, names: frozenset[str]) -> int:
        cell = self.cell_layout.read(config, self.cell_layout.kinds[0])
        return sum(name in names for name in cell.values())


def _strongest(layout: Layout, strengths: Tensor) -> Chosen:
    table = strengths.detach().double().clone()
    if layout.pairs:
        table[:, layout.operations.index("none")] = -torch.inf
    values, places = table.max(dim=1)
    best = {
        edge: (value, layout.operations[place])
        for edge, value, place in zip(layout.edges, values.tolist(), places.tolist(), strict=True)
    }
    if not layout.pairs:
        return {edge: name for edge, (_, name) in best.items()}
    kept: Chosen = {}
    for node in layout.inner:
        ending = [edge for edge in layout.edges if edge[1] == node]
        for edge in sorted(ending, key=lambda edge: -best[edge][0])[:2]:
            kept[edge] = best[edge][1]
    return kept


def _opened(layout: Layout, cell: Chosen) -> Tensor:
    chosen = [layout.operations.index(cell.get(edge, "none")) for edge in layout.edges]
    return F.one_hot(torch.tensor(chosen), len(layout.operations)).to(torch.get_default_dtype())


def _shuffled(x: Tensor, groups: int) -> Tensor:
    """Interleave groups of channels, so that the next edge mixes others."""
    if x.shape[1] % groups:
        return x
    return torch.unflatten(x, 1, (groups, -1)).transpose(1, 2).flatten(1, 2)
