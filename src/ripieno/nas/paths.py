"""What describes a cell by its paths: which operations a signal goes through, in turn.

Source: C. White, W. Neiswanger, Y. Savani, "BANANAS: Bayesian Optimization with Neural
Architectures for Neural Architecture Search", AAAI 2021, section 3 (the path encoding, and
that long paths can be left out).
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ripieno.nas.layouts import CELLS, Chosen, Layout
from ripieno.space import Config, Constant, Space

__all__ = ["path_encoding"]

_LONGEST = 3

Path = tuple[int, tuple[str, ...]]
"""The input where it begins, and its operations."""


def path_encoding(space: Space) -> Callable[[Config], NDArray[np.float64]] | None:
    """Return a function that describes a config by the paths through its cells.

    It gives one number for each input and each sequence of up to three operations: 1 where
    some path from the input to an output goes through these operations, and 0 else. An edge
    without a connection is an operation like the others.

    Args:
        space: Of architectures, or any other.

    Returns:
        The function, of configs of this space; None for a space without cells.
    """
    named = space.get("network")
    if not isinstance(named, Constant) or named.value not in CELLS:
        return None
    layout = CELLS[str(named.value)]
    if not layout.domains().keys() <= space.keys():
        return None

    def encode(config: Config) -> NDArray[np.float64]:
        cells = [layout.read(config, kind) for kind in layout.kinds]
        return np.concatenate([_described(layout, cell) for cell in cells])

    return encode


def _described(layout: Layout, cell: Chosen) -> NDArray[np.float64]:
    names = layout.selectable
    # Sequences are numbered by length first, and then as numbers whose digits are operations.
    first = [sum(len(names) ** each for each in range(1, n)) for n in range(_LONGEST + 2)]
    found = np.zeros((layout.inputs, first[-1]))
    for begin, operations in _paths(layout, cell):
        if len(operations) <= _LONGEST:
            number = 0
            for name in operations:
                number = number * len(names) + names.index(name)
            found[begin, first[len(operations)] + number] = 1.0
    return found.ravel()


def _paths(layout: Layout, cell: Chosen) -> Iterator[Path]:
    """Yield every path from an input to an output."""
    ways: dict[int, list[Path]] = {node: [] for node in range(layout.nodes)}
    for begin in range(layout.inputs):
        ways[begin] = [(begin, ())]
    for source, target in layout.edges:  # by target: a node is complete before it is left
        if (source, target) in cell:
            ways[target] += [(i, (*ops, cell[source, target])) for i, ops in ways[source]]
    for node in layout.outputs:
        yield from ways[node]
