"""Spaces of architectures: ordinary spaces, which every searcher and scheduler can search.

What is not searched of a network (how many filters and cells it has) stands in the space as a
constant, so that a config says all that is needed to build it.
"""

from ripieno.errors import SpaceError
from ripieno.nas.heads import pool_domain
from ripieno.nas.layouts import CELLS, Chosen
from ripieno.space import Categorical, Config, Constant, Domain, Int, Space

__all__ = ["cell_space", "darts_space", "from_cell_string", "macro_space", "to_cell_string"]


def cell_space(
    *,
    filters: int = 16,
    cells: int = 1,
    stages: int = 3,
    global_pool: str | tuple[str, ...] = "average",
) -> Space:
    """Return the cells of NAS-Bench-201: six edges of five operations, 15,625 configs.

    Args:
        filters: Of the first stage; each further one has twice as many.
        cells: A stage; the benchmark has 5.
        stages: Between two of them a residual block halves height and width.
        global_pool: What makes one number of each last map: ``average``, as in the benchmark,
            or ``max``; or ``none``: all its pixels are read. Several are searched, and a
            supernet has the first one.

    Raises:
        SpaceError: A number is below 1, or there is no such pooling.
    """
    layout = CELLS["nasbench201"]
    return Space(
        network=Constant(layout.name),
        **_constants(filters=filters, cells=cells, stages=stages),
        global_pool=pool_domain(global_pool),
        **layout.domains(),
    )


def darts_space(
    *, filters: int = 16, cells: int = 6, global_pool: str | tuple[str, ...] = "average"
) -> Space:
    """Return the normal and reduction cells of DARTS: about 10^18 configs.

    Each of the four nodes of a cell has two inputs among the nodes before it (as one
    hyperparameter, ``"0 2"``) and an operation on either of them.

    Args:
        filters: Of each node in the first third of the network.
        cells: In all; two of them are reduction cells, after a third and two thirds.
        global_pool: As for :func:`cell_space`.

    Raises:
        SpaceError: A number is below 1, there are fewer than 3 cells, or no such pooling.
    """
    layout = CELLS["darts"]
    if cells < 3:
        raise SpaceError(
            f"cells = {cells} leaves no room for a normal and two reduction cells.",
            where=f"darts_space({filters=}, {cells=})",
            fix="give at least 3 cells.",
        )
    return Space(
        network=Constant(layout.name),
        **_constants(filters=filters, cells=cells),
        global_pool=pool_domain(global_pool),
        **layout.domains(),
    )


def macro_space(
    *,
    depth: int = 6,
    filters: tuple[int, ...] = (8, 16, 32),
    kernels: tuple[int, ...] = (3, 5, 7),
    global_pool: str | tuple[str, ...] = "average",
) -> Space:
    """Return chains of convolutions: their number, width, kernels, and shortcuts past them.

    Args:
        depth: Layers at most.
        filters: What may be chosen as filters of the first third of the layers; each further
            third has twice as many and half the height and width.
        kernels: What each layer may have as its kernel; odd numbers.
        global_pool: As for :func:`cell_space`.

    Raises:
        SpaceError: A number is below 1, a kernel is even, or there is no such pooling.
    """
    _constants(depth=depth, **{f"filters_{number}": value for number, value in enumerate(filters)})
    even = [kernel for kernel in kernels if kernel < 1 or kernel % 2 == 0]
    if even:
        raise SpaceError(
            f"a kernel of {even[0]} has no middle.",
            where=f"macro_space({kernels=})",
            fix="give odd kernels, such as (3, 5, 7).",
        )
    domains: dict[str, Domain] = {
        "network": Constant("macro"),
        "layers": Int(1, depth, default=max(1, depth // 2)),
        "filters": Categorical(*filters),
        "global_pool": pool_domain(global_pool),
    }
    for layer in range(1, depth + 1):
        deeper = tuple(range(layer, depth + 1))
        domains[f"kernel_{layer}"] = Categorical(*kernels).when(layers=deeper)
        domains[f"skip_{layer}"] = Categorical(True, False).when(layers=deeper)
    return Space(**domains)


def to_cell_string(config: Config) -> str:
    """Return a config of :func:`cell_space` as NAS-Bench-201 writes it.

    Raises:
        SpaceError: It is a config of another space.
    """
    cell = CELLS["nasbench201"].read(config, "normal")
    nodes = (
        "|".join(f"{cell[source, target]}~{source}" for source in range(target))
        for target in range(1, 4)
    )
    return "+".join(f"|{node}|" for node in nodes)


def from_cell_string(text: str, space: Space | None = None) -> Config:
    """Return the config that a string of NAS-Bench-201 stands for.

    Args:
        text: Such as ``"|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"``.
        space: A :func:`cell_space`; the usual one where absent.

    Raises:
        SpaceError: The text is none, or names an unknown operation.
    """
    cell: Chosen = {}
    for target, node in enumerate(text.split("+"), 1):
        for edge in node.strip("|").split("|"):
            name, _, source = edge.partition("~")
            if not source.isdecimal():
                raise SpaceError(
                    f"{edge!r} is no edge of a cell.",
                    where=f"from_cell_string({text!r})",
                    fix="write |operation~source| for each edge, and + between nodes.",
                )
            cell[int(source), target] = name
    missing = [edge for edge in CELLS["nasbench201"].edges if edge not in cell]
    if missing:
        raise SpaceError(
            f"the edge from node {missing[0][0]} to node {missing[0][1]} is missing.",
            where=f"from_cell_string({text!r})",
            fix="name all six edges of the cell; what is no connection is 'none'.",
        )
    values = CELLS["nasbench201"].write({"normal": cell})
    return (space or cell_space()).config(values)


def _constants(**numbers: int) -> dict[str, Domain]:
    for name, number in numbers.items():
        if type(number) is not int or number < 1:
            raise SpaceError(
                f"{name} = {number!r} builds no network.",
                where="a space of architectures",
                fix="give a whole number of at least 1.",
            )
    return {name: Constant(number) for name, number in numbers.items()}
