"""Architectures: spaces of them, the networks that they name, and ways to find a good one."""

from ripieno.nas.cells import Gates
from ripieno.nas.collapse import Guard, dominant_eigenvalue
from ripieno.nas.costs import (
    Cost,
    front,
    limited,
    limited_again,
    measure_cost,
    measure_latency,
)
from ripieno.nas.enas import Enas
from ripieno.nas.found import Found, SearchEpoch
from ripieno.nas.graphs import graphs_of
from ripieno.nas.networks import ArchitectureFactory, CellNetwork
from ripieno.nas.paths import path_encoding
from ripieno.nas.proxies import PROXIES, jacov, naswot, parameter_count, score, snip, synflow
from ripieno.nas.recipe import nas, suited
from ripieno.nas.relaxations import RELAXATIONS, Darts, DrNas, Gdas, PcDarts, Relaxation
from ripieno.nas.restarts import search_supernets
from ripieno.nas.rows import Restart
from ripieno.nas.searching import METHODS, search_supernet
from ripieno.nas.spaces import (
    cell_space,
    darts_space,
    from_cell_string,
    macro_space,
    to_cell_string,
)
from ripieno.nas.supernet import Supernet

__all__ = [
    "METHODS",
    "PROXIES",
    "RELAXATIONS",
    "ArchitectureFactory",
    "CellNetwork",
    "Cost",
    "Darts",
    "DrNas",
    "Enas",
    "Found",
    "Gates",
    "Gdas",
    "Guard",
    "PcDarts",
    "Relaxation",
    "Restart",
    "SearchEpoch",
    "Supernet",
    "cell_space",
    "darts_space",
    "dominant_eigenvalue",
    "from_cell_string",
    "front",
    "graphs_of",
    "jacov",
    "limited",
    "limited_again",
    "macro_space",
    "measure_cost",
    "measure_latency",
    "nas",
    "naswot",
    "parameter_count",
    "path_encoding",
    "score",
    "search_supernet",
    "search_supernets",
    "snip",
    "suited",
    "synflow",
    "to_cell_string",
]
