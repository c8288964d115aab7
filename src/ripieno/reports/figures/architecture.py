"""The architecture that a search has found, as a graph."""

from collections.abc import Mapping

from plotly import graph_objects as go
from plotly.subplots import make_subplots

from ripieno.errors import ReportError
from ripieno.reports.figures import style

__all__ = ["architecture"]

Graph = Mapping[tuple[int, int], str]
"""What stands on the edge from one node to a later one."""

_POINTS = 17
_BEND = 0.5
_CHEAP = ("skip", "pool")


def architecture(graphs: Mapping[str, Graph]) -> go.Figure:
    """Draw the graphs of an architecture, one below the other.

    Args:
        graphs: By name, as ``ripieno.nas.graphs_of`` gives them.

    Raises:
        ReportError: There are none, or none has an edge.
    """
    edges = sum(len(graph) for graph in graphs.values())
    if not edges:
        raise ReportError(
            "the architecture has no edge.",
            where="architecture(graphs)",
            fix="give a config of cell_space(), darts_space() or macro_space().",
        )
    learned = sum(not _is_cheap(n) for graph in graphs.values() for n in graph.values())
    height = 150 + 260 * len(graphs)
    figure = make_subplots(rows=len(graphs), cols=1, subplot_titles=list(graphs))
    figure.update_layout(
        style.blank(
            f"{learned} of the {style.plural(edges, 'edge')} of the best architecture learn",
            "Data flow from left to right; a node is the sum of what arrives. Blue edges have "
            "parameters, grey ones are shortcuts and poolings.",
            height=height,
        ).layout
    )
    for row, graph in enumerate(graphs.values(), 1):
        for edge, name in graph.items():
            _draw_edge(figure, edge, name, row=row)
        nodes = sorted({node for edge in graph for node in edge})
        figure.add_scatter(
            x=nodes, y=[0.0] * len(nodes), mode="markers+text", text=[str(n) for n in nodes],
            marker={"size": 26, "color": "white", "line": {"color": style.INK, "width": 1.5}},
            textfont={"color": style.INK}, hoverinfo="skip", showlegend=False, row=row, col=1,
        )  # fmt: skip
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _is_cheap(name: str) -> bool:
    return any(name.startswith(kind) or f"_{kind}" in name for kind in _CHEAP)


def _draw_edge(figure: go.Figure, edge: tuple[int, int], name: str, *, row: int) -> None:
    """Draw one edge: straight to the next node, bent past the nodes between."""
    source, target = edge
    side = 1.0 if source % 2 == 0 else -1.0
    bend = side * _BEND * (target - source - 1)
    along = [step / (_POINTS - 1) for step in range(_POINTS)]
    color = style.MEMBER if _is_cheap(name) else style.ENSEMBLE
    label = style.escape(name.replace("_", " "))
    figure.add_scatter(
        x=[source + (target - source) * u for u in along],
        y=[4.0 * bend * u * (1.0 - u) for u in along],
        mode="lines+text",
        text=[label if place == _POINTS // 2 else "" for place in range(_POINTS)],
        textposition="top center",
        line={"color": color, "width": 2},
        name=label,
        hovertemplate=f"{source} to {target}: {label}<extra></extra>",
        showlegend=False,
        row=row,
        col=1,
    )
