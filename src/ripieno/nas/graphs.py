"""An architecture as graphs that can be drawn."""

from collections.abc import Mapping

from ripieno.errors import SpaceError
from ripieno.nas.layouts import Edge, layout_of
from ripieno.space import Value

__all__ = ["graphs_of"]


def graphs_of(config: Mapping[str, Value]) -> dict[str, dict[Edge, str]]:
    """Return the graphs of a config: by name, what stands on the edge between two nodes.

    Args:
        config: Of one of the spaces of architectures, or any other.

    Returns:
        One graph a kind of cell, without the edges that are not there; of a macro network its
        chain of layers. Nothing for a config of another space.
    """
    if config.get("network") == "macro":
        return {"network": _chain(config)}
    try:
        layout = layout_of(config)
        cells = {kind: layout.read(config, kind) for kind in layout.kinds}
    except SpaceError:
        return {}
    return {
        f"{kind} cell": {edge: name for edge, name in cell.items() if name != "none"}
        for kind, cell in cells.items()
    }


def _chain(config: Mapping[str, Value]) -> dict[Edge, str]:
    chain: dict[Edge, str] = {}
    for layer in range(1, len(config) + 1):
        kernel = config.get(f"kernel_{layer}")
        if kernel is None:
            break
        skip = " + skip" if config.get(f"skip_{layer}") else ""
        chain[layer - 1, layer] = f"conv {kernel}x{kernel}{skip}"
    return chain
