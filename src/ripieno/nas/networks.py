"""From a config of a space of architectures to a module that can be trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from ripieno.errors import RecipeError, SpaceError
from ripieno.nas.cells import MakeEdge, build_trunk
from ripieno.nas.heads import HEADS, Head
from ripieno.nas.layouts import CELLS, Chosen, Edge, Layout, layout_of
from ripieno.nas.macro import MacroNetwork
from ripieno.nas.operations import operation
from ripieno.recipes import KNOBS
from ripieno.space import Config, Value

__all__ = ["ArchitectureFactory", "CellNetwork", "numbers_of"]


class CellNetwork(nn.Module):
    """The network of one config of :func:`cell_space` or :func:`darts_space`.

    Edges that nothing arrives on, or whose ends reach no output, are left out: they cannot
    change an answer.

    Args:
        config: Of one of the spaces; what else it holds (a learning rate) is not read.
        shape: ``(channels, height, width)`` of one image.
        classes: Number of outputs.

    Raises:
        SpaceError: A hyperparameter of the architecture is absent or unknown.
    """

    def __init__(
        self, config: Mapping[str, Value], *, shape: tuple[int, ...], classes: int
    ) -> None:
        super().__init__()
        layout = layout_of(config)
        edges = {kind: _makers(layout, layout.read(config, kind)) for kind in layout.kinds}
        numbers = numbers_of(config, layout)
        self.trunk = build_trunk(
            layout, numbers, edges=edges, shape=shape, classes=classes, head=Head.read(config)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs ``(batch, classes)`` for images ``(batch, channels, height, width)``."""
        out: Tensor = self.trunk(x)
        return out


def numbers_of(config: Mapping[str, Any], layout: Layout) -> dict[str, int]:
    """Return ``filters``, ``cells`` and ``stages`` out of a config.

    Raises:
        SpaceError: One is absent, or no whole number above zero.
    """
    names = ("filters", "cells") if layout.pairs else ("filters", "cells", "stages")
    for name in names:
        number = config.get(name)
        if not isinstance(number, int | float) or number < 1 or number != int(number):
            raise SpaceError(
                f"{name} = {number!r} builds no network.",
                where=repr(Config(dict(config))),
                fix="give a whole number of at least 1.",
            )
    return {name: int(config[name]) for name in names}


def _makers(layout: Layout, cell: Chosen) -> dict[Edge, MakeEdge]:
    return {edge: partial(operation, cell[edge]) for edge in _alive(layout, cell)}


def _alive(layout: Layout, cell: Chosen) -> list[Edge]:
    """Return the edges that lie on a way from an input to an output."""
    there = [edge for edge in layout.edges if cell.get(edge, "none") != "none"]
    reached = set(range(layout.inputs))
    for source, target in there:  # by target: a node's edges come before those that leave it
        if source in reached:
            reached.add(target)
    read = set(layout.outputs)
    for source, target in reversed(there):
        if target in read:
            read.add(source)
    return [(s, t) for s, t in there if s in reached and t in read]


@dataclass(frozen=True, slots=True)
class ArchitectureFactory:
    """Builds the network of any config of a space of architectures.

    Args:
        shape: ``(channels, height, width)`` of one image.
        classes: Number of outputs.
    """

    shape: tuple[int, ...]
    classes: int

    def check_names(self, config: Mapping[str, Value]) -> None:
        """Refuse what no space of architectures knows: see ``CheckedFactory``."""
        known = {"network", "filters", "cells", "stages", *HEADS, *MacroNetwork.names(config)}
        known.update(name for layout in CELLS.values() for name in layout.domains())
        for name in config:
            if name not in known and name not in KNOBS:
                raise RecipeError(
                    f"the nas recipe has no hyperparameter {name!r}.",
                    where=repr(Config(config)),
                    fix="use those of cell_space(), darts_space() or macro_space(), or a knob "
                    "of training.",
                )

    def check(self, config: Mapping[str, Value]) -> None:
        """Refuse nothing else: every config of the spaces can be built."""
        self.check_names(config)

    def decides(self, name: str) -> bool:  # noqa: ARG002 - none of them does
        """Say whether a hyperparameter decides if a network can be built."""
        return False

    def __call__(self, config: Config) -> nn.Module:
        """Return the untrained network of a config.

        Raises:
            SpaceError: A hyperparameter of the architecture is absent or unknown.
        """
        if config.get("network") == "macro":
            return MacroNetwork(config, shape=self.shape, classes=self.classes)
        return CellNetwork(config, shape=self.shape, classes=self.classes)
