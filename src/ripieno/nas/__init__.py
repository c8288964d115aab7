"""Architectures: spaces of them, the networks that they name, and ways to find a good one."""

from ripieno.nas.networks import ArchitectureFactory, CellNetwork
from ripieno.nas.recipe import nas
from ripieno.nas.spaces import (
    cell_space,
    darts_space,
    from_cell_string,
    macro_space,
    to_cell_string,
)

__all__ = [
    "ArchitectureFactory",
    "CellNetwork",
    "cell_space",
    "darts_space",
    "from_cell_string",
    "macro_space",
    "nas",
    "to_cell_string",
]
