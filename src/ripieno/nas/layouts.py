"""What the cells of a search space look like: nodes, edges, and what an edge may be.

A cell is a small graph without circles. Its first nodes are its inputs; every other node is
the sum of operations on nodes before it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ripieno.errors import SpaceError
from ripieno.space import Categorical, Config, Constant, Domain, Value

__all__ = ["CELLS", "Chosen", "Edge", "Layout", "layout_of"]

Edge = tuple[int, int]
"""Source and target, numbers of nodes; the source is the smaller one."""

Chosen = dict[Edge, str]
"""The operation on each edge of a cell that there is."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The graph that the cells of a space are chosen from.

    Args:
        name: What the hyperparameter ``network`` says.
        inputs: Nodes that are given.
        nodes: All nodes.
        kinds: Kinds of cells, each chosen for itself.
        operations: What an edge may be, in the order of a supernet's weights.
        pairs: Whether a node has just two edges, whose sources are chosen too; otherwise it
            has one from each node before it.
    """

    name: str
    inputs: int
    nodes: int
    kinds: tuple[str, ...]
    operations: tuple[str, ...]
    pairs: bool

    @property
    def inner(self) -> range:
        """The nodes that are not given."""
        return range(self.inputs, self.nodes)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The nodes that what a cell gives is made of."""
        return tuple(self.inner) if self.pairs else (self.nodes - 1,)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Every edge that a cell could have, by target and then by source."""
        return tuple((source, target) for target in self.inner for source in range(target))

    @property
    def selectable(self) -> tuple[str, ...]:
        """The operations that a config names: with pairs an edge is there, or is not."""
        return tuple(o for o in self.operations if not (self.pairs and o == "none"))

    @property
    def chosen_edges(self) -> int:
        """How many edges a cell has in the end."""
        return 2 * len(self.inner) if self.pairs else len(self.edges)

    def domains(self) -> dict[str, Domain]:
        """Return the hyperparameters of all kinds of cells."""
        domains: dict[str, Domain] = {}
        for kind in self.kinds:
            for name, choices in self._choices(kind):
                few = len(choices) == 1
                domains[name] = Constant(choices[0]) if few else Categorical(*choices)
        return domains

    def _choices(self, kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        if not self.pairs:
            for source, target in self.edges:
                yield f"edge_{source}_{target}", self.operations
            return
        for target in self.inner:
            pairs = tuple(f"{a} {b}" for b in range(1, target) for a in range(b))
            yield f"{kind}_{target}_inputs", pairs
            for place in ("first", "second"):
                yield f"{kind}_{target}_{place}", self.selectable

    def read(self, config: Mapping[str, Value], kind: str) -> Chosen:
        """Return the operations of a kind of cell, as a config has them.

        Raises:
            SpaceError: A hyperparameter is absent, or has a value that this space has not.
        """
        values = {name: _value(config, name, known) for name, known in self._choices(kind)}
        if not self.pairs:
            return {(s, t): values[f"edge_{s}_{t}"] for s, t in self.edges}
        chosen: Chosen = {}
        for target in self.inner:
            first, second = map(int, values[f"{kind}_{target}_inputs"].split())
            chosen[first, target] = values[f"{kind}_{target}_first"]
            chosen[second, target] = values[f"{kind}_{target}_second"]
        return chosen

    def write(self, cells: Mapping[str, Chosen]) -> dict[str, Value]:
        """Return the hyperparameters that say what :meth:`read` has read."""
        values: dict[str, Value] = {}
        for kind in self.kinds:
            cell = cells[kind]
            if not self.pairs:
                values |= {f"edge_{s}_{t}": cell[s, t] for s, t in self.edges}
                continue
            for target in self.inner:
                first, second = sorted(source for source, end in cell if end == target)
                values[f"{kind}_{target}_inputs"] = f"{first} {second}"
                values[f"{kind}_{target}_first"] = cell[first, target]
                values[f"{kind}_{target}_second"] = cell[second, target]
        return values


def _value(config: Mapping[str, Value], name: str, known: tuple[str, ...]) -> str:
    value = config.get(name)
    if isinstance(value, str) and value in known:
        return value
    problem = f"{name!r} is {value!r}" if name in config else f"{name!r} has no value"
    raise SpaceError(
        f"{problem}, and a cell cannot be built.",
        where=repr(Config(config)),
        fix=f"use one of {', '.join(map(repr, known))}.",
    )


CELLS: Mapping[str, Layout] = MappingProxyType(
    {
        "nasbench201": Layout(
            "nasbench201",
            inputs=1,
            nodes=4,
            kinds=("normal",),
            operations=(
                "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3",
            ),
            pairs=False,
        ),
        "darts": Layout(
            "darts",
            inputs=2,
            nodes=6,
            kinds=("normal", "reduce"),
            operations=(
                "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect",
                "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
            ),
            pairs=True,
        ),
    }
)  # fmt: skip
"""Layouts by the value of the hyperparameter ``network``."""


def layout_of(config: Mapping[str, object]) -> Layout:
    """Return the layout that a config or a space names.

    Raises:
        SpaceError: It names none.
    """
    named = config.get("network")
    name = named.value if isinstance(named, Constant) else named
    if isinstance(name, str) and name in CELLS:
        return CELLS[name]
    raise SpaceError(
        f"network = {name!r} is no network of cells.",
        where=f"hyperparameters: {', '.join(config) or 'none'}",
        fix=f"use one of {', '.join(CELLS)}: cell_space() and darts_space() say it.",
    )
